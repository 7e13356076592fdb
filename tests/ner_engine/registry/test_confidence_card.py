"""The section of a card on confidence: written once, replaced later, a bar for each tenth."""

from __future__ import annotations

import numpy as np

from ner_engine.registry.affixes import Affix, Affixes
from ner_engine.registry.confidence_card import plot, with_confidence
from ner_engine.scoring.reliability import N_BINS, reliability
from tests.ner_engine.registry.test_confidence import calibration

CARD = "# Model\n\nWords.\n\n## Hyperparameters\n\nNumbers.\n\n## Licence\n\nFree.\n"


def test_the_section_stands_before_the_hyperparameters() -> None:
    card = with_confidence(CARD, calibration(), None)
    assert card.index("## Confidence") < card.index("## Hyperparameters")
    assert "900 predictions in 80 texts of 12 papers" in card


def test_a_second_fit_replaces_the_section() -> None:
    once = with_confidence(CARD, calibration(), None)
    assert with_confidence(once, calibration(), None) == once


def test_a_card_without_those_headings_ends_with_it() -> None:
    card = with_confidence("# Model\n", calibration(), None)
    assert card.startswith("# Model\n\n## Confidence\n")
    assert with_confidence(card, calibration(), None) == card


def test_nothing_to_say_leaves_the_card_alone() -> None:
    assert with_confidence(CARD, None, None) == CARD


def test_affixes_are_named_with_their_gain() -> None:
    affixes = Affixes(
        {Affix("prefix", "si", "upper", "GENEPROD"): (9, 1)},
        "three papers",
        {"before": 0.7, "after": 0.71},
    )
    card = with_confidence(CARD, None, affixes)
    assert "learned from three papers: si-" in card
    assert "from 0.7000 to 0.7100" in card


def test_a_bar_reaches_what_is_right() -> None:
    lines = plot(reliability(np.array([0.95, 0.95]), np.array([True, False]))).split("\n")
    assert len(lines) == N_BINS
    assert lines[-1] == "0.9-1.0 " + "█" * 20 + " " * 18 + "|"
    assert lines[0] == "0.0-0.1"
