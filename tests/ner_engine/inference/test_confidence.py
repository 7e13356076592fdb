"""Calibrated confidence: fitted on outcomes, stored beside the weights, applied by the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ner_engine.errors import CalibrationError, UnsafeModelError
from ner_engine.inference.confidence import (
    Outcomes,
    calibrate,
    fitted,
    helpful_affixes,
    outcomes_of,
    raw_predictions,
)
from ner_engine.inference.packing import pack, unpack
from ner_engine.inference.pipeline import Pipeline, roles_of
from ner_engine.inference.tagger import Tagger, load_tagger
from ner_engine.registry.affixes import Affix, Affixes, write_affixes
from ner_engine.registry.checkpoint_files import weights_sha256
from ner_engine.registry.confidence import (
    FILE,
    Calibration,
    FittedOn,
    read_calibration,
    write_calibration,
)
from ner_engine.registry.steps import Steps
from ner_engine.registry.tasks import ENTITIES
from ner_engine.schema import Document, Segment, Span
from ner_engine.scoring.platt import Platt
from tests.ner_engine.checkpoints import SENTENCES, save_bert

FACTS = FittedOn("eval.jsonl", "", papers=40, texts=400, predictions=0)
ROLE_LABELS = ("O", "I-CONTROLLED_VAR", "B-CONTROLLED_VAR", "I-MEASURED_VAR", "B-MEASURED_VAR")
HALVED = Calibration("", FACTS, Platt(0.5, -0.5))


def sampled(scalings: dict[str, Platt], n: int = 4000) -> Outcomes:
    """Outcomes in forty papers, right as often as the scaling of their label says."""
    random = np.random.default_rng(5)
    labels = random.choice(sorted(scalings), n)
    scores = random.uniform(0.4, 0.999, n)
    chances = np.zeros(n)
    for label, scaling in scalings.items():
        chances[labels == label] = scaling.probabilities(scores[labels == label])
    papers = np.array([f"paper {number}" for number in random.integers(0, 40, n)])
    return Outcomes(labels, scores, random.uniform(size=n) < chances, papers)


def test_calibration_brings_the_error_down() -> None:
    found = fitted(sampled({"CELL": Platt(0.6, -0.6)}), FACTS, weights_sha256="")
    assert found.before is not None
    assert found.after is not None
    assert found.before.ece > 0.1
    assert found.after.ece < 0.03


def test_labels_alike_share_one_scaling() -> None:
    alike = sampled({"CELL": Platt(0.6, -0.6), "TISSUE": Platt(0.6, -0.6)})
    assert fitted(alike, FACTS, weights_sha256="").by_label == {}


def test_labels_that_differ_get_their_own() -> None:
    unlike = sampled({"CELL": Platt(0.6, -1.5), "TISSUE": Platt(1.2, 1.0)})
    found = fitted(unlike, FACTS, weights_sha256="")
    assert sorted(found.by_label) == ["CELL", "TISSUE"]
    assert found.log_loss["by label"] < found.log_loss["overall"]


def test_a_rare_label_uses_the_overall_scaling() -> None:
    outcomes = sampled({"CELL": Platt(0.6, -1.5), "TISSUE": Platt(1.2, 1.0)})
    is_kept = (outcomes.labels == "CELL") | (np.arange(len(outcomes)) < 400)
    rare = Outcomes(*(values[is_kept] for values in vars_of(outcomes)))
    assert set(fitted(rare, FACTS, weights_sha256="").by_label) <= {"CELL"}


def vars_of(outcomes: Outcomes) -> tuple[np.ndarray, ...]:
    return outcomes.labels, outcomes.scores, outcomes.right, outcomes.papers


def test_few_predictions_are_refused() -> None:
    with pytest.raises(CalibrationError, match=r"predicts 50 entities .* at least 200"):
        fitted(sampled({"CELL": Platt(1, 0)}, n=50), FACTS, weights_sha256="")


def test_one_paper_is_refused() -> None:
    outcomes = sampled({"CELL": Platt(1, 0)})
    alone = replace(outcomes, papers=np.full(len(outcomes), "one"))
    with pytest.raises(CalibrationError, match="several papers"):
        fitted(alone, FACTS, weights_sha256="")


def test_a_boundary_that_is_off_is_wrong() -> None:
    document = Document("1", "HeLa cells", gold=(Span(0, 4, "CELL", "HeLa"),))
    predicted = [Span(0, 4, "CELL", "HeLa", score=0.9), Span(0, 10, "CELL", "HeLa cells", score=1)]
    found = outcomes_of([document], [predicted], ENTITIES)
    assert found.right.tolist() == [True, False]


def test_affixes_that_help_are_returned_with_their_gain() -> None:
    taught = [
        Document(str(n), "x siAtg5", doi=str(n), gold=(Span(4, 8, "GENEPROD", "Atg5"),))
        for n in range(3)
    ]
    held_out = [Document("h", "siBax", gold=(Span(2, 5, "GENEPROD", "Bax"),))]
    predicted = [[Span(0, 5, "GENEPROD", "siBax", score=0.9)]]
    found = helpful_affixes(taught, held_out, predicted, learned_from="three papers")
    assert found is not None
    assert found.f1 == {"before": 0.0, "after": 1.0}


def test_affixes_that_do_not_help_are_left_out() -> None:
    taught = [
        Document(str(n), "x siAtg5", doi=str(n), gold=(Span(4, 8, "GENEPROD", "Atg5"),))
        for n in range(3)
    ]
    held_out = [Document("h", "siBax", gold=(Span(0, 5, "GENEPROD", "siBax"),))]
    predicted = [[Span(0, 5, "GENEPROD", "siBax", score=0.9)]]
    assert helpful_affixes(taught, held_out, predicted, learned_from="") is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model with a calibration and an affix."""
    folder = save_bert(tmp_path_factory.mktemp("calibrated") / "model")
    write_calibration(folder, replace(HALVED, weights_sha256=weights_sha256(folder)))
    write_affixes(folder, Affixes({Affix("suffix", "La", "lower", "CELL"): (5, 0)}))
    return folder


def load(folder: Path, *, raw_scores: bool = False) -> Tagger:
    return load_tagger(folder, device="cpu", precision="fp32", raw_scores=raw_scores)


def test_a_calibrated_tagger_changes_scores_alone(folder: Path) -> None:
    texts = list(SENTENCES)
    raw, calibrated = load(folder, raw_scores=True).tag(texts), load(folder).tag(texts)
    expected = [
        [replace(span, score=HALVED.confidence(span.label, span.score or 0)) for span in spans]
        for spans in raw
    ]
    assert calibrated == expected
    assert calibrated != raw


def test_a_calibration_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    other = save_bert(tmp_path / "other", seed=9)
    (other / FILE).write_bytes((folder / FILE).read_bytes())
    with pytest.raises(UnsafeModelError, match="fitted on other weights"):
        load(other)


def test_roles_are_calibrated_too(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "roles", labels=ROLE_LABELS, seed=4)
    text = SENTENCES[1]
    entity = Span(16, 19, "GENEPROD", "p53")
    (raw,) = roles_of(load(folder), [text], [[entity]])
    write_calibration(folder, replace(HALVED, weights_sha256=weights_sha256(folder)))
    (calibrated,) = roles_of(load(folder), [text], [[entity]])
    assert [role.label for role in calibrated] == [role.label for role in raw] != []
    assert calibrated[0].score == HALVED.confidence(raw[0].label, raw[0].score or 0)


def test_only_raw_scores_are_calibrated(folder: Path) -> None:
    with pytest.raises(CalibrationError, match="raw scores"):
        raw_predictions(load(folder), [], ENTITIES)


def test_the_texts_of_a_fit_are_recorded(folder: Path) -> None:
    documents = [Document(str(n), text, doi=f"10.1/{n}") for n, text in enumerate(SENTENCES * 20)]
    tagger = load(folder, raw_scores=True)
    found = calibrate(
        documents,
        raw_predictions(tagger, documents, ENTITIES),
        ENTITIES,
        affixes=tagger.affixes,
        weights_sha256="abc",
        data="papers",
    )
    assert (found.fitted_on.data, found.fitted_on.papers, found.fitted_on.texts) == (
        "papers",
        100,
        100,
    )
    assert found.steps == ("affixes",)


def test_packed_and_unpacked_copies_stay_calibrated(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "packed", None)
    unpack(tmp_path / "packed", tmp_path / "plain")
    for copy in ("packed", "plain"):
        found = read_calibration(copy, tmp_path / copy)
        assert found is not None
        assert found.overall == HALVED.overall
        assert load(tmp_path / copy).affixes is not None


TEXT = "HeLa cells: title. (A) HeLa cells were treated with rapamycin. (B) p53 in HeLa cells."
PANELS = [Segment(TEXT.index("(A)"), TEXT.index("(B)")), Segment(TEXT.index("(B)"), len(TEXT))]


def spans_of(folder: Path, steps: Steps, papers: list[str] | None = None) -> list[Span]:
    (found,) = Pipeline(entities=load(folder), steps=steps).run([TEXT], [PANELS], papers=papers)
    return list(found.spans)


def test_nothing_is_suggested_before_the_first_panel(folder: Path) -> None:
    everything = spans_of(folder, Steps())
    inside = [span for span in everything if span.start >= PANELS[0].start]
    assert len(inside) < len(everything)
    assert spans_of(folder, Steps(from_first_panel=True)) == inside


def test_the_affix_step_shortens_what_it_knows(folder: Path) -> None:
    affixes = load(folder).affixes
    assert affixes is not None
    expected = [affixes.shortened(span) for span in spans_of(folder, Steps())]
    assert spans_of(folder, Steps(affixes=True)) == expected


def test_affixes_of_a_project_join_those_of_the_model(folder: Path) -> None:
    own = Affixes({Affix("prefix", "H", "lower", label): (5, 0) for label in ("CELL", "GENEPROD")})
    for span in spans_of(folder, Steps(affixes=True, own_affixes=own)):
        span.check(TEXT)
        assert not span.surface.startswith("He")


def several_labels(spans: Iterable[Span]) -> list[str]:
    """The strings that have more than one label."""
    labels: dict[str, set[str]] = {}
    for span in spans:
        labels.setdefault(span.surface, set()).add(span.label)
    return [surface for surface, each in labels.items() if len(each) > 1]


def test_one_label_holds_for_a_whole_paper(folder: Path) -> None:
    texts = [f"{first} {second}" for first in SENTENCES for second in SENTENCES]
    tagger, papers = load(folder), ["10.1/x"] * len(texts)
    counts = []
    for steps in (Steps(), Steps(one_label=True)):
        found = Pipeline(entities=tagger, steps=steps).run(texts, papers=papers)
        counts.append(len(several_labels(span for tagged in found for span in tagged.spans)))
    assert counts[1] < counts[0]
