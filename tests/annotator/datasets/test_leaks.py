"""No paper and no text that a model was trained on is in its evaluation data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.common.errors import UserError
from annotator.datasets.snapshots.leaks import LeakError, refuse_leak, refuse_near_leak

#: (paper, text) of a panel.
Panel = tuple[str, str]
LEGEND = (
    "HeLa cells were starved for two hours, treated with bafilomycin, lysed and blotted for LC3"
    " beside actin as a loading control"
)
panels = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), max_size=4)


def folder(path: Path, *, train: Sequence[Panel] = (), test: Sequence[Panel] = ()) -> Path:
    """A snapshot's folder with the rows of two splits."""
    path.mkdir(parents=True)
    for split, rows in (("train", train), ("test", test)):
        lines = []
        for number, (paper, text) in enumerate(rows):
            lineage = {"paper": paper}
            row = {"id": f"{split}-{number}", "text": text, "attributes": {"lineage": lineage}}
            lines.append(json.dumps(row) + "\n")
        (path / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return path


def test_other_papers_with_other_texts_are_no_leak(tmp_path: Path) -> None:
    trained_on = folder(tmp_path / "a", train=[("10.1/a", "Bax in MEFs")])
    held_out = folder(tmp_path / "b", test=[("10.1/b", "LC3 in HeLa cells")])
    refuse_leak([trained_on], held_out)
    refuse_near_leak([trained_on], held_out, 0.5)


@pytest.mark.parametrize("written", ["10.1/PAPER", " 10.1/paper "])
def test_a_paper_in_both_is_named(written: str, tmp_path: Path) -> None:
    trained_on = folder(tmp_path / "a", train=[("10.1/other", "x"), (written, "Bax in MEFs")])
    held_out = folder(tmp_path / "b", test=[("10.1/paper", "LC3 in HeLa cells")])
    with pytest.raises(LeakError) as refused:
        refuse_leak([trained_on], held_out)
    sentence = str(refused.value)
    assert sentence.startswith("The model was trained on the paper 10.1/paper, which is also in")
    assert sentence.endswith(
        "Make a new snapshot, and train on it from a model that did not learn from this paper,"
        " such as the bundled one."
    )


def test_a_text_in_both_is_named_with_its_papers(tmp_path: Path) -> None:
    trained_on = folder(tmp_path / "a", train=[("10.1/a", "x"), ("10.1/a", "Bax in MEFs")])
    held_out = folder(tmp_path / "b", test=[("10.1/b", "Bax in MEFs")])
    sentence = (
        "Panel train-1 of the paper 10.1/a, on which the model was trained, has the same text as a"
        " panel of 10.1/b in its evaluation data"
    )
    with pytest.raises(LeakError, match=sentence):
        refuse_leak([trained_on], held_out)


def test_a_leak_is_an_error_for_users() -> None:
    assert issubclass(LeakError, UserError)


def test_every_snapshot_that_was_trained_on_is_read(tmp_path: Path) -> None:
    first = folder(tmp_path / "a", train=[("10.1/a", "x")])
    second = folder(tmp_path / "b", train=[("10.1/paper", "y")])
    held_out = folder(tmp_path / "c", test=[("10.1/paper", "z")])
    refuse_leak([first], held_out)
    with pytest.raises(LeakError):
        refuse_leak([first, second], held_out)


def test_only_train_and_test_splits_are_compared(tmp_path: Path) -> None:
    trained_on = folder(tmp_path / "a", test=[("10.1/paper", "x")])
    held_out = folder(tmp_path / "b", train=[("10.1/paper", "x")])
    refuse_leak([trained_on], held_out)
    refuse_near_leak([trained_on], held_out, 0.5)


@given(first=panels, second=panels, held_out=panels)
def test_a_leak_is_any_paper_or_text_in_common(
    first: list[Panel], second: list[Panel], held_out: list[Panel]
) -> None:
    leaks = False
    for paper, text in first + second:
        for other_paper, other_text in held_out:
            leaks = leaks or paper == other_paper or text == other_text
    with TemporaryDirectory() as name:
        place = Path(name)
        trained_on = [folder(place / "a", train=first), folder(place / "b", train=second)]
        tested_on = folder(place / "c", test=held_out)
        if leaks:
            with pytest.raises(LeakError):
                refuse_leak(trained_on, tested_on)
        else:
            refuse_leak(trained_on, tested_on)


# Texts that were changed a little


def test_a_text_changed_a_little_is_named_with_its_likeness(tmp_path: Path) -> None:
    trained_on = folder(tmp_path / "a", train=[("10.1/a", LEGEND)])
    held_out = folder(tmp_path / "b", test=[("10.1/b", f"{LEGEND} again")])
    refuse_leak([trained_on], held_out)
    with pytest.raises(LeakError) as refused:
        refuse_near_leak([trained_on], held_out, 0.8)
    sentence = str(refused.value)
    assert sentence.startswith(
        "Panel train-0 of the paper 10.1/a, on which the model was trained, is nearly the same as"
        " panel test-0 of 10.1/b in its evaluation data (95% of their three-word sequences), so"
    )


def test_the_threshold_says_how_much_is_too_much(tmp_path: Path) -> None:
    changed = LEGEND.replace("starved", "fed").replace("actin", "tubulin")
    trained_on = folder(tmp_path / "a", train=[("10.1/a", LEGEND)])
    held_out = folder(tmp_path / "b", test=[("10.1/b", changed)])
    refuse_near_leak([trained_on], held_out, 0.9)
    with pytest.raises(LeakError):
        refuse_near_leak([trained_on], held_out, 0.4)


def test_held_out_panels_may_be_like_each_other(tmp_path: Path) -> None:
    trained_on = folder(tmp_path / "a", train=[("10.1/a", "Bax in MEFs of two mice")])
    alike = [("10.1/b", LEGEND), ("10.1/b", f"{LEGEND} again")]
    refuse_near_leak([trained_on], folder(tmp_path / "b", test=alike), 0.8)


def test_training_panels_may_be_like_each_other(tmp_path: Path) -> None:
    alike = [("10.1/a", LEGEND), ("10.1/a", f"{LEGEND} again")]
    trained_on = folder(tmp_path / "a", train=alike)
    held_out = folder(tmp_path / "b", test=[("10.1/b", "Bax in MEFs of two mice")])
    refuse_near_leak([trained_on, trained_on], held_out, 0.8)
