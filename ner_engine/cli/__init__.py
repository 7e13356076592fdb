"""The engine's command line: one module per command, named after it."""

from ner_engine.cli.exit_codes import ExitCode
from ner_engine.cli.main import main

__all__ = ["ExitCode", "main"]
