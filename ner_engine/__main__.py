"""Entry point of ``python -m ner_engine``."""

import sys

from ner_engine.cli import main

sys.exit(main())
