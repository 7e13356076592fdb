"""The three steps: which texts teach what, roles read from masked entities, and panels, entities
and roles over whole legends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.cli import main
from ner_engine.errors import TrainingError, UnsafeModelError
from ner_engine.formats.sd_nlp import PANEL_START
from ner_engine.inference.backends import Probabilities
from ner_engine.inference.evaluation import evaluate
from ner_engine.inference.loading import load_tokenizer
from ner_engine.inference.pipeline import Pipeline, panels_from, passages_of, roles_of
from ner_engine.inference.tagger import Tagger, load_tagger
from ner_engine.inference.windows import TextEncoder
from ner_engine.registry.tasks import TASKS, panel_starts, task_of
from ner_engine.schema import CONTROLLED_VAR, MEASURED_VAR, Document, Segment, Span
from ner_engine.training.examples import Examples
from tests.ner_engine.checkpoints import save_bert

ROLE_LABELS = ("O", "I-CONTROLLED_VAR", "B-CONTROLLED_VAR", "I-MEASURED_VAR", "B-MEASURED_VAR")
TEXT = "Figure 1. (A) Bax Bak cells and Bax blot. (B) Levels of p53 after rapamycin."


def span(text: str, surface: str, label: str, role: str = "", nth: int = 0) -> Span:
    start = -1
    for _ in range(nth + 1):
        start = text.index(surface, start + 1)
    return Span(start, start + len(surface), label, surface, role)


@pytest.fixture(scope="module")
def document() -> Document:
    gold = (
        span(TEXT, "Bax", "GENEPROD", CONTROLLED_VAR),
        span(TEXT, "Bak", "GENEPROD"),
        span(TEXT, "Bax", "GENEPROD", MEASURED_VAR, nth=1),
        span(TEXT, "p53", "GENEPROD", MEASURED_VAR),
        span(TEXT, "rapamycin", "SMALL_MOLECULE", CONTROLLED_VAR),
    )
    b = TEXT.index("(B)")
    return Document(
        "f1",
        TEXT,
        doi="10.1/x",
        segments=(Segment(10, b - 1, "p1"), Segment(b, len(TEXT), "p2")),
        gold=gold,
    )


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return TextEncoder(
        load_tokenizer(save_bert(tmp_path_factory.mktemp("bert") / "model")), max_length=64
    )


class Reader:
    """A model that knows one rule: what is masked first in a text was perturbed, every other mask
    was measured."""

    device = "cpu"

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.seen: list[list[int]] = []

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        self.seen += [list(window) for window in windows]
        return [self._scores(list(window)) for window in windows]

    def _scores(self, window: list[int]) -> Probabilities:
        scores = np.full((len(window), len(ROLE_LABELS)), 0.1, dtype=np.float32)
        first = window.index(self.encoder.mask_id) if self.encoder.mask_id in window else -1
        for index, token in enumerate(window):
            masked = token == self.encoder.mask_id
            scores[index, (2 if index == first else 3) if masked else 0] = 0.6
        return scores


def test_a_text_teaches_each_step_what_that_step_is_about(document: Document) -> None:
    panels = list(TASKS["entities"].texts([document]))
    assert [panel.text[:3] for panel in panels] == ["(A)", "(B)"]
    assert list(TASKS["panels"].texts([document])) == [document]
    assert [(found.surface, found.label) for found in TASKS["panels"].targets(document)] == [
        ("(", PANEL_START)
    ] * 2
    assert [
        (found.surface, found.label) for found in TASKS["geneprod_roles"].targets(document)
    ] == [
        ("Bax", CONTROLLED_VAR),
        ("Bax", MEASURED_VAR),
        ("p53", MEASURED_VAR),
    ]
    assert [found.surface for found in TASKS["geneprod_roles"].masked(document)] == [
        "Bax",
        "Bak",
        "Bax",
        "p53",
    ]
    assert [TASKS["small_mol_roles"].is_example(panel) for panel in panels] == [False, True]


def test_a_role_example_masks_and_labels_its_entities(
    document: Document, encoder: TextEncoder
) -> None:
    label2id = {label: index for index, label in enumerate(ROLE_LABELS)}
    panel = next(iter(TASKS["geneprod_roles"].texts([document])))
    [example] = Examples([panel], encoder, label2id, TASKS["geneprod_roles"])
    [tokens] = encoder.tokens([panel.text])
    inner = list(zip(example.input_ids[1:-1], example.labels[1:-1], tokens.units, strict=True))
    for mask, label, (start, end) in inner:
        surface = panel.text[start:end]
        inside = any(entity.start <= start and end <= entity.end for entity in panel.gold)
        assert (mask == encoder.mask_id) == inside, surface
        assert inside or label == 0
    labels = [ROLE_LABELS[label] for mask, label, _ in inner if mask == encoder.mask_id]
    assert [label for label in labels if not label.startswith("I-")].count("B-CONTROLLED_VAR") == 1
    assert "B-MEASURED_VAR" in labels
    assert "O" in labels  # Bak, which has no role


def test_panel_starts_label_the_first_token_of_a_panel_alone(
    document: Document, encoder: TextEncoder
) -> None:
    [example] = Examples([document], encoder, {"O": 0, "B-PANEL_START": 1}, TASKS["panels"])
    assert example.labels.count(1) == 2


def test_each_entity_gets_its_own_role(encoder: TextEncoder) -> None:
    text = "Bax Bak blot of Bax, Bak and p53."
    entities = [
        span(text, "Bax", "GENEPROD"),
        span(text, "Bak", "GENEPROD"),
        span(text, "Bax", "GENEPROD", nth=1),
        span(text, "p53", "GENEPROD"),
    ]
    reader = Reader(encoder)
    tagger = Tagger("reader", reader, encoder, ROLE_LABELS)
    [told] = roles_of(tagger, [text], [entities])
    assert [(found.start, found.surface) for found in told] == [
        (entity.start, entity.surface) for entity in entities
    ]
    assert {found.label for found in told[1:]} == {MEASURED_VAR}
    assert (
        told[0].label == CONTROLLED_VAR or len(encoder.tokens(["Bax"])[0]) > 1
    )  # the first token of several says so little
    [tokens] = encoder.tokens([text])
    n_masked = sum(len(tokens.within(entity.start, entity.end)) for entity in entities)
    assert reader.seen[0].count(encoder.mask_id or -1) == n_masked


def test_a_text_without_entities_is_not_read_for_roles(encoder: TextEncoder) -> None:
    reader = Reader(encoder)
    assert roles_of(Tagger("reader", reader, encoder, ROLE_LABELS), ["Cells.", ""], [[], []]) == [
        [],
        [],
    ]
    assert reader.seen == []


def test_a_vocabulary_without_a_mask_token_is_refused_for_roles(encoder: TextEncoder) -> None:
    [tokens] = encoder.tokens(["Bax"])
    maskless = TextEncoder.__new__(TextEncoder)
    maskless.mask_id = None
    with pytest.raises(TrainingError, match="no mask token"):
        maskless.masked(tokens, [Span(0, 3, "GENEPROD", "Bax")])


def test_roles_are_evaluated_on_gold_entities(document: Document, encoder: TextEncoder) -> None:
    task = TASKS["geneprod_roles"]
    found = evaluate(
        Tagger("reader", Reader(encoder), encoder, ROLE_LABELS), task.texts([document]), task
    )
    assert found.spans.micro.support == 3
    assert found.spans.by_label[MEASURED_VAR].support == 2


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tagger]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "panels": load_tagger(
            save_bert(folder / "panels", labels=("O", "B-PANEL_START"), seed=1), precision="fp32"
        ),
        "entities": load_tagger(save_bert(folder / "entities", seed=0), precision="fp32"),
        "roles": load_tagger(
            save_bert(folder / "roles", labels=ROLE_LABELS, seed=3), precision="fp32"
        ),
    }


def test_each_step_is_optional(models: dict[str, Tagger]) -> None:
    texts = [TEXT, "Western blot of p53 in mouse liver.", ""]
    only_panels = Pipeline().run(texts)
    assert [[panel.marker for panel in found.segments] for found in only_panels] == [
        ["A", "B"],
        [""],
        [],
    ]
    assert all(not found.spans for found in only_panels)
    without_roles = Pipeline(entities=models["entities"]).run(texts)
    assert any(found.spans for found in without_roles)
    assert all(not entity.role for found in without_roles for entity in found.spans)
    whole = Pipeline(
        panels=models["panels"], entities=models["entities"], roles={"GENEPROD": models["roles"]}
    ).run(texts)
    assert {
        entity.role for found in whole for entity in found.spans if entity.label != "GENEPROD"
    } <= {""}
    assert any(
        entity.role for found in whole for entity in found.spans if entity.label == "GENEPROD"
    )
    for text, found in zip(texts, whole, strict=True):
        for entity in found.spans:
            entity.check(text)


def test_what_is_tagged_beside_a_legend_changes_nothing(models: dict[str, Tagger]) -> None:
    pipeline = Pipeline(
        panels=models["panels"], entities=models["entities"], roles={"GENEPROD": models["roles"]}
    )
    texts = [TEXT, "Levels of IκBα and β-catenin after TNFα, mean ± SEM, n = 3.", TEXT[10:]]
    together = pipeline.run(texts)
    assert together == [pipeline.run([text])[0] for text in texts]


def test_panels_that_are_known_are_kept(models: dict[str, Tagger]) -> None:
    known = [Segment(0, 9, "p1", "x"), Segment(10, len(TEXT), "p2", "y")]
    [found] = Pipeline(panels=models["panels"], entities=models["entities"]).run([TEXT], [known])
    assert list(found.segments) == known


def test_a_model_of_another_step_is_refused_by_name(models: dict[str, Tagger]) -> None:
    with pytest.raises(UnsafeModelError, match="cannot be used for panels"):
        Pipeline(panels=models["entities"])
    with pytest.raises(UnsafeModelError, match="cannot be used for geneprod_roles"):
        Pipeline(roles={"GENEPROD": models["panels"]})
    with pytest.raises(UnsafeModelError, match="cannot be used for the roles of CELL"):
        Pipeline(roles={"CELL": models["roles"]})


def test_the_task_of_a_model_is_in_its_config_or_labels() -> None:
    assert task_of("small_mol_roles", ["CONTROLLED_VAR"]).masked_label == "SMALL_MOLECULE"
    assert task_of(None, ["PANEL_START"]).name == "panels"
    assert task_of(None, ["GENEPROD", "CELL"]).name == "entities"
    with pytest.raises(TrainingError, match="roles, but does not say of which entities"):
        task_of(None, ["CONTROLLED_VAR", "MEASURED_VAR"])
    with pytest.raises(TrainingError, match="there is no task walk"):
        task_of("walk", [])


@given(st.text(alphabet="(A) b.\n😀", max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_passages_cover_the_text_and_panels_never_overlap(text: str, cuts: list[int]) -> None:
    edges = sorted({min(cut, len(text)) for cut in cuts})
    segments = panels_from(
        text,
        [
            Span(start, start + 1, PANEL_START, text[start : start + 1])
            for start in edges
            if start < len(text)
        ],
    )
    for left, right in pairwise(segments):
        assert left.start <= left.end <= right.start
    passages = passages_of(text, segments)
    covered = "".join(text[start:end] for start, end in passages)
    assert "".join(covered.split()) == "".join(text.split())
    assert passages == sorted(passages)


def test_a_panel_without_a_word_has_no_start() -> None:
    assert panel_starts(Document("d", "  A", segments=(Segment(0, 2), Segment(2, 3)))) == [
        Span(2, 3, PANEL_START, "A")
    ]


def test_the_command_tags_in_three_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_bert(tmp_path / "entities", seed=0)
    roles = save_bert(tmp_path / "roles", labels=ROLE_LABELS, seed=3)
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"id": "f1", "text": TEXT}) + "\n", encoding="utf-8")
    command = [
        "tag",
        "--model",
        str(model),
        "--panels",
        "letters",
        "--geneprod-roles",
        str(roles),
        "--in",
        str(source),
        "--out",
        str(target),
    ]
    assert main(command) == 0
    [row] = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [segment["marker"] for segment in row["segments"]] == ["A", "B"]
    assert {found.get("role") for found in row["spans"] if found["label"] == "GENEPROD"} & {
        CONTROLLED_VAR,
        MEASURED_VAR,
    }
    assert main([*command[:4], "letters", "--geneprod-roles", str(model), "--in", str(source)]) == 2
    assert "cannot be used for geneprod_roles" in capsys.readouterr().err


def test_the_bundled_panel_model_needs_no_letters() -> None:
    lettered = (
        "Autophagy in cells. Figure 1 (A) Western blot of LC3 in HeLa cells. (B) Immunofluorescence"
        " of p62 in HEK293 cells. Scale bar, 10 µm."
    )
    plain = (
        "Figure 2 Western blot of LC3 in HeLa cells treated with rapamycin. Scale bar, 10 µm."
        " Quantification of LC3 puncta per cell."
    )
    found = Pipeline(panels=load_tagger("bundled-panels")).run([lettered, plain])
    assert [panel.marker for panel in found[0].segments] == ["A", "B"]
    assert found[1].segments[0].start == plain.index("Western")
