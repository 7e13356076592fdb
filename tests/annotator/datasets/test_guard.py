"""The guard: who is left out beyond the limit, and what a row weighs."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.common.errors import UserError
from annotator.datasets.models import OverCap
from annotator.datasets.snapshots.guard import Rules, figures_to_leave_out, panels_to_leave_out


class Panel(NamedTuple):
    n_spans: int
    n_unreviewed: int


def rules(cap: float, over_cap: str = OverCap.LEAVE_OUT, weight: float = 1.0) -> Rules:
    return Rules(cap, over_cap, weight, 0.5)


panels = st.lists(
    st.integers(1, 9).flatmap(lambda n: st.builds(Panel, st.just(n), st.integers(0, n))),
    max_size=12,
)


@given(panels, st.floats(0, 1))
def test_the_fewest_panels_are_left_out_to_meet_the_limit(found: list[Panel], cap: float) -> None:
    out = panels_to_leave_out(found, rules(cap))
    left = [panel for index, panel in enumerate(found) if index not in out]
    assert sum(panel.n_unreviewed for panel in left) <= cap * sum(panel.n_spans for panel in left)
    if out:
        back = [*left, found[out[-1]]]
        assert sum(panel.n_unreviewed for panel in back) > cap * sum(
            panel.n_spans for panel in back
        )
        least = min(found[index].n_unreviewed / found[index].n_spans for index in out)
        assert all(panel.n_unreviewed / panel.n_spans <= least for panel in left)


def test_beyond_the_limit_a_project_may_rather_have_no_snapshot() -> None:
    found = [Panel(10, 9), Panel(10, 0)]
    assert panels_to_leave_out(found, rules(0.45, OverCap.REFUSE)) == []
    with pytest.raises(
        UserError,
        match=r"45 % of the entities are bulk-accepted.*The project allows 40 %.*Decide more",
    ):
        panels_to_leave_out(found, rules(0.4, OverCap.REFUSE))
    assert panels_to_leave_out(found, rules(0.0)) == [0]


def test_a_limit_of_everything_lets_everything_through() -> None:
    assert panels_to_leave_out([Panel(3, 3)], rules(1.0, OverCap.REFUSE)) == []


def test_a_rows_weight_is_the_mean_of_its_entities() -> None:
    assert rules(1, weight=0.2).weight(4, 2) == 0.6
    assert rules(1, weight=0.0).weight(4, 4) == 0.0
    assert rules(1, weight=0.2).weight(4, 0) == rules(1).weight(4, 4) == 1.0


@given(panels, st.floats(0, 1), st.sampled_from(OverCap.values))
def test_figures_go_by_the_same_limit_and_never_stop_a_snapshot(
    found: list[Panel], cap: float, over_cap: str
) -> None:
    assert figures_to_leave_out(found, rules(cap, over_cap)) == panels_to_leave_out(
        found, rules(cap, OverCap.LEAVE_OUT)
    )
