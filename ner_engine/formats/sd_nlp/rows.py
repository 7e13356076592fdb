"""Writing rows of sd-nlp, as words or as tokens of roberta-base."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from ner_engine.align import OUTSIDE, Unit, encode, mark, units_starting_in
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp.passages import (
    DEFAULT,
    LAYERS,
    PANEL_START,
    ROLE_LAYERS,
    Flavour,
    Passage,
    Row,
)
from ner_engine.formats.sd_nlp.public import public_token_labels, public_word_labels
from ner_engine.formats.sd_nlp.tokenizer import MAX_TOKENS
from ner_engine.schema import BORING, Span
from ner_engine.text import word_boundaries

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_LAYER_OF: Final = {label: layer for layer, label in ROLE_LAYERS.items()}


def word_row(passage: Passage, report: Report, flavour: Flavour = DEFAULT) -> Row:
    """Return ``{"words", "label_ids", "text", "panel_id" or "figure_id", "doi"}``.

    ``label_ids`` has one label per word for each of ``LAYERS``.
    """
    units: list[Unit] = word_boundaries(passage.text)
    if flavour.public:
        if passage.text and passage.text[-1].isalnum():
            units = units[:-1]
        labels = public_word_labels(passage, units, flavour)
    else:
        labels = _labels(passage, units, report, flavour)
    return {
        "words": [passage.text[start:end] for start, end in units],
        **passage.keys,
        "label_ids": labels,
        "text": passage.text,
    }


def token_row(
    passage: Passage, report: Report, tokenizer: Tokenizer, flavour: Flavour = DEFAULT
) -> Row:
    """Return ``{"tokens", "input_ids", "label_ids", "text", "panel_id" or "figure_id", "doi"}``.

    The row has at most 512 tokens, special tokens included, and one label per token for each of
    ``LAYERS``. Special tokens are O.
    """
    return encoded_row(passage, report, tokenizer.encode(passage.text), flavour)


def encoded_row(
    passage: Passage, report: Report, encoding: Encoding, flavour: Flavour = DEFAULT
) -> Row:
    """Return the ``token_row`` of a passage that is already tokenised, as in batches."""
    inner = []
    for index, special in enumerate(encoding.special_tokens_mask):
        if not special:
            inner.append(index)
    offsets, ids = encoding.offsets, encoding.ids
    units: list[Unit] = [offsets[index] for index in inner]
    if flavour.public:
        layers = public_token_labels(passage, units, flavour)
    else:
        layers = _labels(passage, units, report, flavour)
    labels = {}
    for layer in LAYERS:
        labels[layer] = _at_places(layers[layer], inner, len(ids))
    if encoding.overflowing and not flavour.public:
        report.lose(
            passage.where, f"it has more than {MAX_TOKENS} tokens; the tokenised form ends there"
        )
    return {
        "tokens": encoding.tokens,
        "input_ids": ids,
        **passage.keys,
        "label_ids": labels,
        "text": passage.text,
    }


def _at_places(values: list[str], places: Sequence[int], n: int) -> list[str]:
    """Return ``n`` labels with ``values`` at ``places`` and O elsewhere.

    The places are consecutive if all special tokens are at the ends.
    """
    if places and places[-1] - places[0] + 1 == len(places):
        return [OUTSIDE] * places[0] + values + [OUTSIDE] * (n - places[-1] - 1)
    labels = [OUTSIDE] * n
    for place, value in zip(places, values, strict=True):
        labels[place] = value
    return labels


def _labels(
    passage: Passage, units: Sequence[Unit], report: Report, flavour: Flavour
) -> dict[str, list[str]]:
    """Return the labels of ``units`` in all layers. Roles have the extent of their entity."""
    encoded = encode(units, [span for span in passage.spans if span.label in flavour.labels])
    for span, reason in encoded.lossy:
        report.lose(f"{passage.where}, {span.start}-{span.end} {span.label}", reason)
    layers = {layer: [OUTSIDE] * len(units) for layer in LAYERS} | {"entity_types": encoded.labels}
    for span, inside in encoded.placed:
        if span.role == BORING:
            mark(layers["boring"], inside, BORING)
        elif span.role and span.label in _LAYER_OF:
            mark(layers[_LAYER_OF[span.label]], inside, span.role)
    others = [span for span in passage.spans if span.label not in flavour.labels]
    report.counts["spans_without_sd_nlp_label"] += len(others)
    _mark_boring(layers["boring"], units, others)
    _mark_panel_starts(layers["panel_start"], units, passage.panel_starts)
    return layers


def _mark_boring(labels: list[str], units: Sequence[Unit], spans: Sequence[Span]) -> None:
    """Mark reporters and components that are not entities of sd-nlp as BORING too."""
    starts = [unit[0] for unit in units]
    for span in spans:
        if span.role != BORING:
            continue
        inside = units_starting_in(starts, span.start, span.end)
        if inside and all(labels[index] == OUTSIDE for index in inside):
            mark(labels, inside, BORING)


def _mark_panel_starts(labels: list[str], units: Sequence[Unit], starts: Sequence[int]) -> None:
    for start in starts:
        first = bisect_right(units, start, key=itemgetter(1))
        if first < len(units):
            labels[first] = f"B-{PANEL_START}"
