"""What curators did with the suggestions of one legend."""

from __future__ import annotations

from annotator.learning.evaluation.outcomes import PANEL_START, Outcomes, Suggested, outcomes_of

PANELS = ("panels", "finder", PANEL_START)


def of_panels(
    starts: list[int], decided: list[int] | None, *, is_untouched: bool = False
) -> dict[str, int]:
    origin = Suggested(
        "tagger",
        panels=[(start, "finder") for start in starts],
        panel_starts=decided,
        is_untouched=is_untouched,
    )
    outcomes: Outcomes = outcomes_of(origin, [], [], {})
    return {column: n for column, n in outcomes[PANELS].items() if n}


def test_panels_that_nobody_decided_count_as_accepted() -> None:
    assert of_panels([0, 40], None) == {"accepted": 2}


def test_panels_that_nobody_touched_count_as_bulk_accepted() -> None:
    assert of_panels([0, 40], None, is_untouched=True) == {"accepted": 2, "bulk_accepted": 2}


def test_a_moved_panel_is_a_rejected_and_an_added_one() -> None:
    assert of_panels([0, 40], [0, 45]) == {"accepted": 1, "rejected": 1, "added": 1}


def test_a_legend_without_suggestions_has_no_outcomes() -> None:
    assert outcomes_of(Suggested("tagger"), [], [], {}) == {}
