"""A trained model with a folder and a card, and legends that curators worked on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from annotator.corpus.models import Document, Project
from annotator.learning.models import LabelEffort, LegendEffort, ModelOrigin, ModelVersion
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


def worked_on(
    document: Document,
    source: str,
    *,
    accepted: int,
    rejected: int,
    seconds: float | None,
    actions: int = 3,
) -> None:
    """As if somebody had accepted the legend with that effort."""
    Document.objects.filter(pk=document.pk).update(
        state="accepted", accepted_at=timezone.now(), revision=7
    )
    effort = LegendEffort.objects.create(
        document=document,
        revision=7,
        source=source,
        suggested_at=timezone.now(),
        n_actions=actions,
        seconds=seconds,
    )
    LabelEffort.objects.create(
        legend=effort, source=source, label="CELL", accepted=accepted, rejected=rejected
    )
