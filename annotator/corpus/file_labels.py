"""The labels in imported files: what is done with them, and what follows for the legends."""

from __future__ import annotations

from enum import StrEnum


class FileLabels(StrEnum):
    """What to do with the labels in a file.

    GOLD: people's labels become decided entities and their legends are accepted; labels by machines
    become suggestions. SUGGESTIONS: all labels become suggestions. NONE: only texts and panels are
    imported.
    """

    GOLD = "gold"
    SUGGESTIONS = "suggestions"
    NONE = "none"


def sentences_of_acceptance(
    labels: FileLabels, *, imported: int, accepted: int, suggested: int
) -> list[str]:
    """Return how many of the imported legends were accepted, and why the others were not."""
    if not imported:
        return []
    sentences = [f"{accepted:,} of {_legends(imported)} accepted on import."]
    without_labels = imported - accepted - suggested
    if labels == FileLabels.NONE:
        sentences.append(f"{_legends(imported)} imported without labels, as you chose: review all.")
        return sentences
    if suggested and labels == FileLabels.SUGGESTIONS:
        sentences.append(f"{_legends(suggested)} not accepted: you chose to review all labels.")
    elif suggested:
        sentences.append(
            f"{_legends(suggested)} not accepted: only machines labelled them. Their labels are"
            " suggestions."
        )
    if without_labels:
        sentences.append(f"{_legends(without_labels)} not accepted: no labels to accept.")
    return sentences


def _legends(n: int) -> str:
    if n == 1:
        return "1 legend was"
    return f"{n:,} legends were"
