"""Weight averaging with the base model: which fraction is chosen, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ner_engine.registry.recipes import SHARES_OF_BASE
from ner_engine.scoring.comparison import Counts
from ner_engine.training.weight_averaging import WeightAveraging, average_with_base
from tests.ner_engine.training.runs import Run, same, weights


def test_an_averaged_model_scores_as_measured(run: Run, tmp_path: Path) -> None:
    run(tmp_path / "first", epochs="2")
    told = run(
        tmp_path / "second", begin=tmp_path / "first/model", blend="auto", learning_rate="0.01"
    )
    (found,) = told.of("blend")
    measured = dict(found["micro_f1"])
    assert list(measured) == list(SHARES_OF_BASE)
    assert told[-1]["scores"]["eval"]["micro"]["f1"] == pytest.approx(
        measured[found["share_of_base"]], abs=1e-4
    )
    card = (tmp_path / "second/model/README.md").read_text()
    assert f"a mixture: {found['share_of_base']:.0%} of the base's" in card
    assert "### On eval, by which the weights were chosen (9 texts)" in card


def test_a_given_fraction_of_the_base_is_used(run: Run, tmp_path: Path) -> None:
    run(tmp_path / "first", epochs="1")
    settings: dict[str, Any] = {
        "begin": tmp_path / "first/model",
        "epochs": "1",
        "learning_rate": "0.01",
    }
    run(tmp_path / "trained", **settings)
    told = run(tmp_path / "mixed", blend="0.75", **settings)
    assert told.of("blend") == [{"event": "blend", "share_of_base": 0.75, "micro_f1": []}]
    base, trained = weights(tmp_path / "first"), weights(tmp_path / "trained")
    for name, tensor in weights(tmp_path / "mixed").items():
        assert torch.allclose(tensor, 0.75 * base[name] + 0.25 * trained[name], atol=1e-6)


def test_a_base_with_other_labels_is_not_averaged(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "one", blend="auto").of("blend") == []
    run(tmp_path / "two")
    assert same(tmp_path / "one", tmp_path / "two")


def mixture(*right: tuple[int, int, int, int]) -> tuple[WeightAveraging, float]:
    """A network that is 0 everywhere, mixed with a base that is 1: how, and its weight then. Of ten
    entities in each paper so many are ``right`` by share of the base, and none is invented."""
    network = torch.nn.Linear(2, 2)
    base = {name: torch.ones_like(tensor) for name, tensor in network.named_parameters()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()

    def weight() -> float:
        return float(network.weight.detach()[0, 0])

    def counts_now() -> list[Counts]:
        return [Counts(of_paper[SHARES_OF_BASE.index(weight())], 10, 10) for of_paper in right]

    return (
        average_with_base(
            network, base, None, [f"paper {number}" for number in range(len(right))], counts_now
        ),
        weight(),
    )


def test_without_entities_the_fraction_is_a_half() -> None:
    network = torch.nn.Linear(2, 2)
    papers = [f"paper {number}" for number in range(12)]
    assert (
        average_with_base(
            network, network.state_dict(), None, papers, lambda: [Counts(0, 0, 0)] * 12
        ).share
        == 0.5
    )


@pytest.mark.parametrize(
    ("right", "share"),
    [
        ([(9, 6, 5, 3)] * 12, 0.0),
        ([(3, 4, 5, 9)] * 12, 0.75),
        ([(7, 7, 7, 7)] * 12, 0.75),
        ([(9, 5, 5, 2), (5, 7, 7, 2), (8, 5, 7, 2), (5, 8, 6, 2)] * 3, 0.5),
        ([(5, 8, 5, 6), (6, 8, 5, 6), (4, 8, 6, 6), (5, 8, 5, 6)] * 3, 0.25),
        ([(9, 6, 5, 3)] * 9, 0.5),
        ([], 0.5),
    ],
    ids=[
        "none is far better",
        "most is far better",
        "all alike",
        "papers disagree",
        "one is best",
        "too few papers to tell",
        "nothing is held out",
    ],
)
def test_the_largest_harmless_fraction_is_chosen(
    right: list[tuple[int, int, int, int]], share: float
) -> None:
    found, weight = mixture(*right)
    assert found.share == share
    assert weight == share
    assert list(found.f1) == (list(SHARES_OF_BASE) if right else [])
    assert found.f1 == pytest.approx(
        {
            each: sum(of[index] for of in right) / (10 * len(right))
            for index, each in enumerate(SHARES_OF_BASE)
        }
        if right
        else {}
    )


def test_two_phases_are_averaged_with_the_first_base(run: Run, tmp_path: Path) -> None:
    run(tmp_path / "first", epochs="1")
    settings: dict[str, Any] = {
        "begin": tmp_path / "first/model",
        "epochs": "1",
        "learning_rate": "0.01",
        "augment_share": "0.5",
    }
    run(tmp_path / "trained", **settings)
    told = run(tmp_path / "mixed", blend="0.75", **settings)
    assert [event.get("phase") for event in told.of("blend")] == [None]
    base, trained = weights(tmp_path / "first"), weights(tmp_path / "trained")
    for name, tensor in weights(tmp_path / "mixed").items():
        assert torch.allclose(tensor, 0.75 * base[name] + 0.25 * trained[name], atol=1e-6)
    assert run(tmp_path / "anew", augment_share="0.5", blend="0.75").of("blend") == []
