"""Model cards as pages, and models as archives that other programs load."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SplitFile
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, TrainingRun
from annotator.learning.serving.archives import model_archive
from annotator.learning.serving.cards import Piece, blocks_of
from annotator.learning.serving.provenance import with_provenance
from annotator.learning.tagging.checkpoints import inspect_model
from annotator.learning.tagging.services import register_model, serving_model
from ner_engine.registry.cards import table

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


def told(markdown: str) -> list[Any]:
    return [
        (
            block.kind,
            [["".join(piece.text for piece in cell) for cell in row] for row in block.rows],
        )
        for block in blocks_of(markdown)
    ]


def test_a_card_is_cut_into_blocks() -> None:
    assert told(CARD) == [
        ("heading", [["A <script>alert(1)</script> model"]]),
        ("text", [["Finds proteins in legends, see the paper (https://example.org/x)."]]),
        ("list", [["one"], ["two"]]),
        ("code", [["python -m ner_engine | <b>"]]),
        ("table", [["label", "F1"], ["CELL", "0.8"]]),
    ]
    assert blocks_of("a **b** `c`")[0].pieces == [
        Piece("text", "a "),
        Piece("strong", "b"),
        Piece("text", " "),
        Piece("code", "c"),
    ]


@given(st.text())
def test_no_text_is_too_odd_for_a_card(text: str) -> None:
    for block in blocks_of(text):
        assert block.kind in {"heading", "text", "list", "table", "code"}
        assert block.kind in {"list", "table"} or block.pieces is not None


words = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(words, min_size=n, max_size=n), min_size=2, max_size=5)
    )
)
def test_tables_of_our_own_cards_are_read_as_they_were_written(rows: list[list[str]]) -> None:
    assert told(table(rows[0], rows[1:])) == [("table", rows)]


# In the site


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


HEAD = "# quick\n\n## Model description\n\nIt finds.\n\n## Licence\n\nThe base is under mit.\n"


def test_a_card_counts_curators_and_names_nobody_and_no_file(
    learned: Snapshot, candidate_of: Callable[..., ModelVersion], tiny: ModelVersion, manager: User
) -> None:
    split = SplitFile(project=learned.project, name="for-doctor-who.tsv", sides={}, sha256="0" * 64)
    learned.filters, learned.split_file, learned.split_rule = (
        {"curators": [manager.pk]},
        split,
        "file-ab12+sha256-80-10-10",
    )
    judged = Evaluation.objects.get(model_version=candidate_of(learned))
    run = TrainingRun.objects.get()
    run.snapshot = learned
    card = with_provenance(HEAD, run, judged, Evaluation.objects.get(model_version=tiny))
    assert "accepted by any of 1 chosen curators" in card
    assert "- **split by paper**: file-ab12+sha256-80-10-10\n" in card
    assert f"| F1 of {tiny.name} | difference of F1, points |" in card
    assert not {manager.username, split.name} & set(re.split(r"[\s|,;]+", card))
    headings = [line for line in card.splitlines() if line.startswith("#")]
    assert headings == [
        f"# {run.candidate_name}",
        "## Model description",
        "## Provenance",
        "## Evaluation before promotion",
        "## Licence",
    ]


def test_a_snapshot_of_an_older_program_and_a_step_that_nothing_did_before_have_their_card(
    learned: Snapshot, candidate_of: Callable[..., ModelVersion]
) -> None:
    judged = Evaluation.objects.get(model_version=candidate_of(learned))
    run = TrainingRun.objects.get()
    run.snapshot = learned
    learned.report.pop("guideline")
    for side in learned.counts.values():
        side.pop("swept")
    card = with_provenance("# run\n", run, judged, None)
    assert "- **guideline**: none\n" in card
    assert "No model was serving." in card
    assert "difference" not in card


def unzipped(pieces: Any, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        archive.extractall(folder)
    (found,) = folder.iterdir()
    return found


@pytest.mark.django_db
def test_the_card_is_a_page_on_which_nothing_of_it_is_markup(
    trained: ModelVersion, client_of: Callable[[User], Client], admin: User
) -> None:
    page = (
        client_of(admin)
        .get(reverse("admin:learning_modelversion_card", args=[trained.pk]))
        .content.decode()
    )
    assert "A &lt;script&gt;alert(1)&lt;/script&gt; model" in page
    assert "<script>alert" not in page
    assert re.search(r'<th scope="row">CELL\s*</th>\s*<td>0.8\s*</td>', page)
    assert 'href="https://example.org/x"' not in page


@pytest.mark.django_db
def test_a_model_without_a_card_or_without_its_folder_says_so(
    tiny: ModelVersion, client_of: Callable[[User], Client], admin: User
) -> None:
    browser, address = client_of(admin), reverse("admin:learning_modelversion_card", args=[tiny.pk])
    assert "folder has no card" in browser.get(address).content.decode()
    ModelVersion.objects.filter(pk=tiny.pk).update(location="/nowhere/at/all")
    assert browser.get(address).status_code == 200


@pytest.mark.django_db
def test_a_downloaded_model_loads_with_plain_transformers_and_holds_nothing_else(
    trained: ModelVersion, client_of: Callable[[User], Client], admin: User, tmp_path: Path
) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    response = client_of(admin).get(
        reverse("admin:learning_modelversion_download", args=[trained.pk])
    )
    assert response["Content-Disposition"] == 'attachment; filename="autophagy-run-7.zip"'
    folder = unzipped(response.streaming_content, tmp_path / "out")
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        path.name for path in folder.iterdir()
    }
    assert not (folder / "notes.txt").exists()
    model = AutoModelForTokenClassification.from_pretrained(folder)
    assert set(trained.labels) <= {
        label.removeprefix("B-") for label in model.config.id2label.values()
    }
    assert AutoTokenizer.from_pretrained(folder)("HeLa cells")["input_ids"]


@pytest.mark.django_db
def test_the_bundled_model_is_unpacked_for_a_download(project: Project, tmp_path: Path) -> None:
    from transformers import AutoModelForTokenClassification

    model = serving_model(project)
    folder = unzipped(model_archive(model=model, actor=SYSTEM), tmp_path / "out")
    loaded = AutoModelForTokenClassification.from_pretrained(folder)
    assert {parameter.dtype.is_floating_point for parameter in loaded.parameters()} == {True}
    assert not hasattr(loaded.config, "packed_weights")


@pytest.mark.django_db
def test_who_may_not_export_does_not_get_a_projects_model(
    trained: ModelVersion, curator: User, reviewer: User, tiny_folders: list[Path]
) -> None:
    with pytest.raises(PermissionDenied):
        model_archive(model=trained, actor=curator)
    assert next(iter(model_archive(model=trained, actor=reviewer)))


@pytest.mark.django_db
def test_changed_files_and_models_of_a_hub_are_not_given_away(
    trained: ModelVersion, tiny: ModelVersion, tiny_folders: list[Path]
) -> None:
    (Path(trained.path) / "config.json").write_text(
        (Path(trained.path) / "config.json").read_text() + " ", encoding="utf-8"
    )
    with pytest.raises(UserError, match="are not those it was registered with"):
        model_archive(model=trained, actor=SYSTEM)
    ModelVersion.objects.filter(pk=tiny.pk).update(origin=ModelOrigin.HUB)
    with pytest.raises(UserError, match="comes from a hub"):
        model_archive(model=register_model(location=str(tiny_folders[0])), actor=SYSTEM)
