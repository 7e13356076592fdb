"""What a finished model gets beside its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_engine.inference.tagger import Tagger, load_tagger
from ner_engine.registry.affixes import FILE as AFFIXES_FILE
from ner_engine.registry.confidence import FILE, read_calibration
from ner_engine.registry.tasks import ENTITIES, TASKS
from ner_engine.schema import Document, Span
from ner_engine.training.finishing import finish
from tests.ner_engine.checkpoints import SENTENCES, save_bert
from tests.ner_engine.training.runs import Run


@pytest.fixture
def tagger(tmp_path: Path) -> Tagger:
    folder = save_bert(tmp_path / "model")
    (folder / "README.md").write_text("# Model\n", encoding="utf-8")
    return load_tagger(folder, device="cpu", precision="fp32")


def labelled(tagger: Tagger, papers: range) -> list[Document]:
    """Texts whose curators leave the last letter off what the model predicts."""
    documents = []
    for paper in papers:
        for sentence in SENTENCES:
            text = f"{sentence} ({paper})"
            gold = tuple(
                Span(span.start, span.end - 1, span.label, span.surface[:-1])
                for span in tagger.tag([text])[0]
                if span.surface[-2:].isalpha()
            )
            documents.append(Document(str(paper), text, doi=f"10.1/{paper}", gold=gold))
    return documents


def test_a_finished_model_is_calibrated_on_held_out_texts(tagger: Tagger, tmp_path: Path) -> None:
    splits = {"train": labelled(tagger, range(4)), "eval": labelled(tagger, range(4, 34))}
    found = finish(tagger, {**splits, "test": []}, ENTITIES, data="rows")
    found.write(tmp_path / "model")
    stored = read_calibration("model", tmp_path / "model")
    assert stored is not None
    assert stored.fitted_on.data == "the eval split of rows"
    assert stored.fitted_on.papers == 30
    assert stored.steps == ("affixes",)
    assert found.sentence == stored.sentence()
    assert (tmp_path / "model" / AFFIXES_FILE).is_file()
    assert "## Confidence" in (tmp_path / "model/README.md").read_text(encoding="utf-8")


def test_without_held_out_texts_confidence_stays_raw(tagger: Tagger, tmp_path: Path) -> None:
    found = finish(tagger, {"train": [], "eval": [], "test": []}, ENTITIES, data="rows")
    found.write(tmp_path / "model")
    assert found.sentence == "confidence is not calibrated: there are no held-out texts"
    assert not (tmp_path / "model" / FILE).exists()
    assert (tmp_path / "model/README.md").read_text(encoding="utf-8") == "# Model\n"


def test_other_tasks_learn_no_affixes(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "panels", labels=("O", "B-PANEL_START"))
    tagger = load_tagger(folder, device="cpu", precision="fp32")
    documents = [Document(str(n), text, doi=str(n)) for n, text in enumerate(SENTENCES * 20)]
    splits = {"train": documents, "eval": documents, "test": []}
    assert finish(tagger, splits, TASKS["panels"], data="rows").affixes is None


def test_a_run_with_few_held_out_texts_says_why(run: Run, tmp_path: Path) -> None:
    events = run(tmp_path / "out", epochs="1")
    assert "give at least 200 from several papers" in events[-1]["calibration"]
    assert not (tmp_path / "out/model" / FILE).exists()
