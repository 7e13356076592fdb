"""``calibrate`` and ``affixes``: what they write beside a model, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_engine.cli import ExitCode, main
from ner_engine.formats import jsonl
from ner_engine.inference.tagger import load_tagger
from ner_engine.registry.affixes import read_affixes
from ner_engine.registry.confidence import FILE, read_calibration
from ner_engine.schema import Document, Span
from tests.ner_engine.checkpoints import SENTENCES, save_bert

PADDING = " and further words that make the text longer than eighty characters, as sd-nlp asks."


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = save_bert(tmp_path / "model")
    (folder / "README.md").write_text("# Model\n\n## Licence\n\nFree.\n", encoding="utf-8")
    return folder


def write(path: Path, documents: list[Document]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        jsonl.write(documents, stream)
    return path


@pytest.fixture
def gold(tmp_path: Path, model: Path) -> Path:
    """Texts of twenty papers; half of what the model predicts in them is right."""
    tagger = load_tagger(model, device="cpu", precision="fp32")
    documents = []
    for paper in range(20):
        for sentence in SENTENCES:
            text = f"{sentence} ({paper}){PADDING}"
            spans = tagger.tag([text])[0][::2]
            kept = tuple(Span(s.start, s.end, s.label, s.surface) for s in spans)
            documents.append(Document(f"{paper}", text, doi=f"10.1/{paper}", gold=kept))
    return write(tmp_path / "gold.jsonl", documents)


def calibrate(model: Path, *arguments: str) -> int:
    return main(["calibrate", "--model", str(model), *arguments])


def test_confidence_is_written_and_used(
    model: Path, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(model, "--data", str(gold), "--name", "twenty papers") == ExitCode.SUCCESS
    found = read_calibration("model", model)
    assert found is not None
    assert (found.fitted_on.data, found.fitted_on.papers) == ("twenty papers", 20)
    assert load_tagger(model, device="cpu").calibration == found
    assert capsys.readouterr().out.startswith("confidence calibrated on ")


def test_the_card_shows_the_reliability(model: Path, gold: Path) -> None:
    calibrate(model, "--data", str(gold))
    card = (model / "README.md").read_text(encoding="utf-8")
    assert card.index("## Confidence") < card.index("## Licence")
    assert "0.9-1.0" in card


def test_a_second_fit_starts_from_raw_scores(model: Path, gold: Path) -> None:
    calibrate(model, "--data", str(gold))
    first = (model / FILE).read_bytes()
    calibrate(model, "--data", str(gold))
    assert (model / FILE).read_bytes() == first


def test_a_limit_spreads_over_the_texts(model: Path, gold: Path) -> None:
    calibrate(model, "--data", str(gold), "--limit", "50")
    found = read_calibration("model", model)
    assert found is not None
    assert found.fitted_on.texts == 50
    assert found.fitted_on.papers == 20


def test_too_little_gold_is_refused(
    model: Path, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(model, "--data", str(gold), "--limit", "2") == ExitCode.FAILED
    assert "give at least 200 from several papers" in capsys.readouterr().err
    assert not (model / FILE).exists()


def test_confidence_needs_gold(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate(model, "--only", "confidence") == ExitCode.FAILED
    assert "name a file with --data" in capsys.readouterr().err


def test_int8_alone_leaves_confidence_raw(model: Path, gold: Path) -> None:
    assert calibrate(model, "--only", "int8", "--texts", str(gold)) == ExitCode.SUCCESS
    assert not (model / FILE).exists()


def test_raw_scores_are_written_on_request(model: Path, gold: Path, tmp_path: Path) -> None:
    calibrate(model, "--data", str(gold))
    scores = {}
    for flag in ("--raw-scores", "--scores"):
        out = tmp_path / f"{flag}.jsonl"
        main(["tag", "--model", str(model), "--in", str(gold), "--out", str(out), flag])
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        scores[flag] = [span["score"] for row in rows for span in row["spans"]]
    assert scores["--raw-scores"] != scores["--scores"]


@pytest.fixture
def data(tmp_path: Path, model: Path) -> Path:
    """A data folder whose curators leave the last two letters off each predicted entity."""
    tagger = load_tagger(model, device="cpu", precision="fp32")
    for split, papers in (("train", range(4)), ("eval", range(4, 6))):
        documents = []
        for paper in papers:
            for sentence in SENTENCES:
                text = f"{sentence} ({paper}){PADDING}"
                spans = [s for s in tagger.tag([text])[0] if s.surface[-3:].isalpha()]
                cut = tuple(
                    Span(s.start, s.end - 2, s.label, s.surface[:-2])
                    for s in spans
                    if len(s.surface) > 3
                )
                documents.append(Document(f"{paper}", text, doi=f"10.1/{paper}", gold=cut))
        write(tmp_path / "data" / f"{split}.jsonl", documents)
    return tmp_path / "data"


def test_affixes_that_help_are_stored(
    model: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["affixes", "--model", str(model), "--data", str(data)]) == ExitCode.SUCCESS
    found = read_affixes("model", model)
    assert found is not None
    assert found.f1["after"] > found.f1["before"]
    assert found.learned_from == "the train split of data"
    assert "Calibrate the model again." in capsys.readouterr().out


def test_affixes_that_do_not_help_are_not_stored(model: Path, gold: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for split in ("train", "eval"):
        (folder / f"{split}.jsonl").write_bytes(gold.read_bytes())
    assert main(["affixes", "--model", str(model), "--data", str(folder)]) == ExitCode.SOME_REFUSED
    assert read_affixes("model", model) is None


def test_only_entity_models_have_affixes(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    panels = save_bert(tmp_path / "panels", labels=("O", "B-PANEL_START"))
    assert main(["affixes", "--model", str(panels), "--data", str(data)]) == ExitCode.FAILED
    assert "predicts no entities" in capsys.readouterr().err


def test_an_unknown_step_is_refused(
    model: Path, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["tag", "--model", str(model), "--in", str(gold), "--steps", "magic"])
    assert code == ExitCode.FAILED
    assert "there is no step magic" in capsys.readouterr().err


def test_steps_of_the_command_correct_what_is_written(
    model: Path, data: Path, tmp_path: Path
) -> None:
    main(["affixes", "--model", str(model), "--data", str(data)])
    surfaces = {}
    for steps in ("from-first-panel", "from-first-panel,affixes"):
        out = tmp_path / f"{steps}.jsonl"
        arguments = ["--model", str(model), "--in", str(data / "eval.jsonl"), "--out", str(out)]
        assert main(["tag", *arguments, "--steps", steps]) == ExitCode.SUCCESS
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        surfaces[steps] = sum(s["end"] - s["start"] for row in rows for s in row["spans"])
    assert 0 < surfaces["from-first-panel,affixes"] < surfaces["from-first-panel"]
