"""The section of a model card on confidence: reliability tables and a plot in characters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ner_engine.files import write_text_atomically
from ner_engine.registry.affixes import MUTATION, Affix, Affixes
from ner_engine.registry.cards import table
from ner_engine.registry.confidence import Calibration
from ner_engine.scoring.reliability import N_BINS, Reliability

_TITLE: Final = "## Confidence"
_SECTION: Final = re.compile(r"^## Confidence\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_AFTER: Final = re.compile(r"^## (?:Licence|Hyperparameters)\b", re.MULTILINE)
_BAR: Final = 40
#: Affixes that the card names, the most frequent first.
_NAMED_AFFIXES: Final = 20


def with_confidence(card: str, calibration: Calibration | None, affixes: Affixes | None) -> str:
    """Return the card with the section on confidence and boundaries, in place of an older one."""
    card = _SECTION.sub("", card)
    section = _section(calibration, affixes)
    if not section:
        return card
    following = _AFTER.search(card)
    if following is None:
        return f"{card.rstrip()}\n\n{section}\n"
    return f"{card[: following.start()]}{section}\n\n{card[following.start() :]}"


def _section(calibration: Calibration | None, affixes: Affixes | None) -> str:
    parts = []
    if calibration is not None:
        parts += _reliability_parts(calibration)
    if affixes is not None:
        parts.append(_affix_part(affixes))
    return "\n\n".join([_TITLE, *parts]) if parts else ""


def _reliability_parts(calibration: Calibration) -> list[str]:
    facts = calibration.fitted_on
    own = ", ".join(sorted(calibration.by_label)) or "none"
    parts = [
        "A suggestion is right if its boundaries and its label are the curators'. Confidence is the"
        f" probability of that: Platt scaling, fitted on {facts.predictions:,} predictions in"
        f" {facts.texts:,} texts of {facts.papers:,} papers ({facts.data}). Labels with a scaling"
        f" of their own: {own}."
    ]
    if calibration.before is None or calibration.after is None:
        return parts
    rows = [
        ("network's score", *_figures(calibration.before)),
        ("calibrated", *_figures(calibration.after)),
    ]
    head = ("confidence", "calibration error (ECE)", "Brier", "log loss", "AUROC")
    parts.append(
        "Measured on the same papers; each paper is calibrated with numbers fitted on the others:"
    )
    parts.append(table(head, rows))
    parts.append(_bins(calibration.before, calibration.after))
    parts.append(f"```\n{plot(calibration.after)}\n```")
    return parts


def _figures(measured: Reliability) -> list[str]:
    values = (measured.ece, measured.brier, measured.log_loss, measured.auroc)
    return [f"{value:.4f}" for value in values]


def _bins(before: Reliability, after: Reliability) -> str:
    head = ("stated", "predictions, network", "right", "predictions, calibrated", "right")
    rows = []
    for index, (old, new) in enumerate(zip(before.bins, after.bins, strict=True)):
        old_right = f"{old.precision:.3f}" if old.n else ""
        new_right = f"{new.precision:.3f}" if new.n else ""
        rows.append((_range(index), f"{old.n:,}", old_right, f"{new.n:,}", new_right))
    return table(head, rows)


def plot(measured: Reliability) -> str:
    """Return a plot in characters: a bar for the fraction that is right, ``|`` for what was stated.

    The two meet where confidence can be trusted.
    """
    lines = []
    for index, each in enumerate(measured.bins):
        line = list("█" * round(each.precision * _BAR) + " " * (_BAR + 1))
        if each.n:
            line[round(each.confidence * _BAR)] = "|"
        lines.append(f"{_range(index)} {''.join(line[: _BAR + 1]).rstrip()}".rstrip())
    return "\n".join(lines)


def _range(index: int) -> str:
    return f"{index / N_BINS:.1f}-{(index + 1) / N_BINS:.1f}"


def _affix_part(affixes: Affixes) -> str:
    counts = sorted(affixes.counts.items(), key=lambda item: (-item[1][0], item[0]))
    names = dict.fromkeys(_shown(affix) for affix, _ in counts)
    named = ", ".join(list(names)[:_NAMED_AFFIXES])
    gain = ""
    if affixes.f1:
        gain = (
            f" The step raises strict micro F1 on held-out papers from"
            f" {affixes.f1['before']:.4f} to {affixes.f1['after']:.4f}."
        )
    return (
        f"**Affixes.** {len(affixes.counts)} affixes that curators leave out are stored with the"
        f" model, learned from {affixes.learned_from}: {named} and others.{gain} The step runs"
        " where the caller asks for it."
    )


def write_on_card(folder: Path, calibration: Calibration | None, affixes: Affixes | None) -> None:
    """Write the section into the card of a model folder; a folder without a card gets none."""
    path = folder / "README.md"
    if path.is_file():
        card = path.read_text(encoding="utf-8", errors="replace")
        write_text_atomically(path, with_confidence(card, calibration, affixes))


def _shown(affix: Affix) -> str:
    if affix.text == MUTATION:
        return "point mutations such as K38E"
    return f"{affix.text}-" if affix.place == "prefix" else f"-{affix.text}"
