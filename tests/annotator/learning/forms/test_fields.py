"""Fields that the forms of the learning pages share."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.learning.forms.fields import (
    SnapshotField,
    number_field,
    parse_hyperparameters,
    points_field,
)


def test_lines_of_hyperparameters_are_read_by_name() -> None:
    assert parse_hyperparameters(" epochs = 2 \n\nseed=7\n") == {"epochs": "2", "seed": "7"}


def test_a_value_may_hold_an_equals_sign() -> None:
    assert parse_hyperparameters("keep = a=b") == {"keep": "a=b"}


@pytest.mark.parametrize("line", ["epochs", "epochs =", "= 2", "epochs: 2"])
def test_any_other_line_is_refused_and_quoted(line: str) -> None:
    with pytest.raises(ValidationError, match="is not a hyperparameter"):
        parse_hyperparameters(f"seed = 1\n{line}")


def test_a_long_line_is_quoted_in_part() -> None:
    with pytest.raises(ValidationError) as refused:
        parse_hyperparameters("x" * 500)
    assert len(refused.value.messages[0]) < 200


@pytest.mark.parametrize("value", ["0", "21", "2.5", "x", ""])
def test_a_number_outside_its_limits_is_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        number_field("Folds", "", minimum=1, maximum=20).clean(value)


def test_a_number_that_is_not_required_may_be_empty() -> None:
    assert number_field("Days", "", required=False).clean("") is None


@pytest.mark.parametrize("value", ["-0.1", "100.1", "nan", "inf"])
def test_points_lie_between_0_and_100(value: str) -> None:
    with pytest.raises(ValidationError):
        points_field("Loss", "").clean(value)


def test_a_snapshot_is_labelled_with_the_sizes_of_its_splits() -> None:
    counts = {split: {"panels": n} for split, n in (("train", 1200), ("eval", 80), ("test", 90))}
    snapshot = Snapshot(project=Project(name="Autophagy"), number=3, counts=counts, note="final")
    label = SnapshotField(Snapshot.objects.none()).label_from_instance(snapshot)
    assert label == (
        "Autophagy · snapshot 3 · 1,200 / 80 / 90 panels (train / validation / test) · final"
    )


def test_a_snapshot_without_counts_or_note_has_a_label() -> None:
    snapshot = Snapshot(project=Project(name="Autophagy"), number=3, counts={})
    label = SnapshotField(Snapshot.objects.none()).label_from_instance(snapshot)
    assert label.endswith("0 / 0 / 0 panels (train / validation / test)")
