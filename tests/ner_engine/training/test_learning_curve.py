"""Learning curves: nested parts, the same held-out papers, and a sentence that says no more than
the figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ner_engine.errors import TrainingError
from ner_engine.registry.plans import Curve
from ner_engine.training.learning_curve import learning_curve, sentence_of, tendency_of
from tests.ner_engine.planted import legend, save_base, thorough, write


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty papers to learn from, twelve others held out."""
    train, held_out = (
        [legend(number) for number in range(120)],
        [legend(1000 + number, papers=12) for number in range(36)],
    )
    held_out = [
        type(each)(
            id=each.id, text=each.text, doi=each.doi.replace("paper", "held"), gold=each.gold
        )
        for each in held_out
    ]
    return write(tmp_path_factory.mktemp("data"), train=train, test=held_out)


def point(papers: int, counts: list[list[int]]) -> dict[str, Any]:
    return {"papers": papers, "counts": counts}


@pytest.mark.slow
def test_more_papers_give_a_better_model_and_the_curve_says_so(
    data: Path, base: Path, tmp_path: Path
) -> None:
    told: list[Mapping[str, Any]] = []
    found = learning_curve(
        Curve(thorough(), base, (0.1, 0.5, 1.0)), data=data, out=tmp_path / "out", emit=told.append
    )
    assert found is not None
    assert found["held_out"] == {"papers": 12, "texts": 36}
    assert [(each["share"], each["papers"], each["texts"]) for each in found["points"]] == [
        (0.1, 4, 12),
        (0.5, 20, 60),
        (1.0, 40, 120),
    ]
    f1 = [each["micro"]["f1"] for each in found["points"]]
    assert f1[0] < f1[-1]
    assert {each["micro"]["support"] for each in found["points"]} == {108}
    assert set(found["points"][-1]["by_label"]) == {"GENEPROD", "CELL", "SMALL_MOLECULE"}
    assert found["tendency"]["gain"] == pytest.approx(100 * (f1[2] - f1[1]), abs=0.01)
    assert found == json.loads((tmp_path / "out/result.json").read_text(encoding="utf-8"))
    assert not list((tmp_path / "out").rglob("*.safetensors"))
    assert told[-1] == {
        "event": "done",
        "out": str(tmp_path / "out"),
        "sentence": found["sentence"],
    }


@pytest.mark.parametrize(
    ("before", "last", "direction", "words"),
    [
        (
            [1, 2, 2],
            [2, 2, 2],
            "rising",
            "still rising, by 50.0 points per doubling. More papers are likely to help.",
        ),
        ([2, 2, 2], [1, 2, 2], "falling", "falling. The last papers may"),
        ([1, 2, 2], [1, 2, 2], "flat", "flat, as far as the held-out papers show."),
    ],
)
def test_the_sentence_says_what_the_last_stretch_shows(
    before: list[int], last: list[int], direction: str, words: str
) -> None:
    found = tendency_of(
        [point(5, []), point(10, [before] * 20), point(20, [last] * 20)],
        [f"paper {number}" for number in range(20)],
    )
    assert found["direction"] == direction
    assert found["from_papers"] == 10
    assert found["to_papers"] == 20
    assert words in sentence_of(found)
    assert "chance" not in sentence_of(found)


def test_what_may_be_chance_is_not_called_a_rise() -> None:
    mixed = [[1, 2, 2], [2, 2, 2]] * 10
    found = tendency_of(
        [point(10, mixed), point(20, [*mixed[1:], [2, 2, 2]])],
        [f"paper {number}" for number in range(20)],
    )
    assert found["gain"] > 0
    assert found["direction"] == "flat"
    assert "rising or flat, there are too few held-out papers to decide" in sentence_of(found), (
        "a gain of points lies within the interval"
    )
    few = tendency_of(
        [point(10, [[1, 2, 2]] * 4), point(20, [[2, 2, 2]] * 4)], ["a", "a", "b", "b"]
    )
    assert "Only 2 papers are held out, so this may be chance." in sentence_of(few)


def test_gain_is_counted_per_doubling_of_papers() -> None:
    found = tendency_of(
        [point(10, [[1, 2, 2]] * 12), point(40, [[2, 2, 2]] * 12)],
        [str(number) for number in range(12)],
    )
    assert found["gain"] == 50.0
    assert found["per_doubling"] == 25.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shares": (1.0,)}, "two points or more"),
        ({"shares": (0.0, 1.0)}, "above 0"),
        ({"shares": (0.5, 1.5)}, "at most 1"),
        ({"max_steps": -1}, "cannot be -1 steps"),
        ({"shares": (0.001, 0.002)}, "give the same papers"),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_refused_with_a_sentence(
    data: Path, base: Path, tmp_path: Path, changes: Any, sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        learning_curve(Curve(thorough(), base, **changes), data=data, out=tmp_path / "out")


def test_without_held_out_papers_there_is_no_curve(base: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data", train=[legend(number) for number in range(9)])
    with pytest.raises(TrainingError, match="no paper with labels is held out"):
        learning_curve(Curve(thorough(), base), data=data, out=tmp_path / "out")


def test_a_paper_on_two_sides_stops_the_curve_and_is_named(base: Path, tmp_path: Path) -> None:
    data = write(
        tmp_path / "data", train=[legend(number) for number in range(9)], test=[legend(40)]
    )
    with pytest.raises(TrainingError, match=r"10\.1/paper\.0 is in"):
        learning_curve(Curve(thorough(), base), data=data, out=tmp_path / "out")


@pytest.mark.slow
def test_the_command_resumes_after_a_finished_point(data: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "ner_engine",
        "curve",
        "--data",
        str(data),
        "--base",
        str(base),
        "--out",
        str(out),
        "--shares",
        "0.25,1",
    ]
    command += [
        part
        for setting in ("labels=auto", "precision=fp32", "max_length=64")
        for part in ("--set", setting)
    ] + ["--max-steps", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "done"
    (out / "share-1/result.json").unlink()
    again = [
        json.loads(line)
        for line in subprocess.run(
            [*command, "--resume"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    ]
    assert {event["part"] for event in again if event["event"] == "start"} == {"share-1"}
    refused = subprocess.run(
        [*command, "--shares", "half"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "numbers separated by commas" in refused.stderr
