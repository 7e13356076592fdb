"""A trained model with a folder and a card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from annotator.corpus.models import Project
from annotator.learning.models import ModelOrigin, ModelVersion
from annotator.learning.tagging.checkpoints import inspect_model

CARD = """---
license: apache-2.0
---

# A <script>alert(1)</script> model

Finds **proteins**
in `legends`, see [the paper](https://example.org/x).

- one
- two

```
python -m ner_engine | <b>
```

| label | F1 |
| --- | --- |
| CELL | 0.8 |
"""


@pytest.fixture
def trained(
    project: Project, tiny_folders: list[Path], tiny: ModelVersion, settings: Any
) -> ModelVersion:
    """A model of the project with a card and a file that is nobody's business."""
    folder = Path(settings.MODELS_DIR) / "run-7"
    shutil.copytree(tiny_folders[0], folder)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    (folder / "notes.txt").write_bytes(b"secret")
    facts = inspect_model(folder)
    return ModelVersion.objects.create(
        name="autophagy-run-7",
        origin=ModelOrigin.TRAINED,
        location="run-7",
        project=project,
        labels=list(facts.labels),
        weights_sha256=facts.sha256,
    )
