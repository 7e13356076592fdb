"""The sentences that say how many legends an import accepted, and why others were not."""

from __future__ import annotations

import pytest

from annotator.corpus.file_labels import FileLabels, sentences_of_acceptance
from annotator.corpus.forms import ImportForm

GOLD, SUGGESTIONS, NONE = FileLabels


@pytest.mark.parametrize(
    ("labels", "counts", "sentences"),
    [
        (GOLD, (3, 3, 0), ["3 of 3 legends were accepted on import."]),
        (GOLD, (1, 1, 0), ["1 of 1 legend was accepted on import."]),
        (
            GOLD,
            (1300, 1290, 9),
            [
                "1,290 of 1,300 legends were accepted on import.",
                "9 legends were not accepted: only machines labelled them. Their labels are"
                " suggestions.",
                "1 legend was not accepted: no labels to accept.",
            ],
        ),
        (
            SUGGESTIONS,
            (3, 0, 2),
            [
                "0 of 3 legends were accepted on import.",
                "2 legends were not accepted: you chose to review all labels.",
                "1 legend was not accepted: no labels to accept.",
            ],
        ),
        (
            NONE,
            (3, 0, 0),
            [
                "0 of 3 legends were accepted on import.",
                "3 legends were imported without labels, as you chose: review all.",
            ],
        ),
        (GOLD, (0, 0, 0), []),
    ],
)
def test_sentences_say_why_legends_were_not_accepted(
    labels: FileLabels, counts: tuple[int, int, int], sentences: list[str]
) -> None:
    imported, accepted, suggested = counts
    assert sentences == sentences_of_acceptance(
        labels, imported=imported, accepted=accepted, suggested=suggested
    )


def test_decided_is_not_preselected() -> None:
    assert ImportForm()["labels"].initial == "suggestions"
