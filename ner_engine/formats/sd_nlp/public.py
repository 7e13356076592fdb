"""Labels exactly as the public converter of sd-nlp writes them, including its defects.

The rules were verified against rows that the public converter wrote.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

from ner_engine.align import OUTSIDE, Unit
from ner_engine.formats.sd_nlp.passages import LAYERS, PANEL_START, ROLE_LAYERS, Flavour, Passage
from ner_engine.schema import BORING, Span


def public_word_labels(
    passage: Passage, units: Sequence[Unit], flavour: Flavour
) -> dict[str, list[str]]:
    """Return the labels of words in all layers.

    The public converter labels characters, so touching words of one type become one entity.
    """
    layers = {}
    for layer, spans in _spans_by_layer(passage, flavour):
        layers[layer] = _labels_by_character(passage.text, units, spans)
    layers["panel_start"] = [OUTSIDE] * len(units)
    for start in passage.panel_starts:
        index = bisect_right(units, start, key=itemgetter(1))
        if index < len(units) and units[index][0] <= start:
            layers["panel_start"][index] = f"B-{PANEL_START}"
    return layers


def public_token_labels(
    passage: Passage, units: Sequence[Unit], flavour: Flavour
) -> dict[str, list[str]]:
    """Return the labels of tokens in all layers.

    An element reaches from the token of its first character to the token before that of the
    character after it. It is dropped if its end was cut off at 512 tokens.
    """
    token_of = _token_of_character(units)
    layers = {layer: [OUTSIDE] * len(units) for layer in LAYERS}
    for layer, spans in _spans_by_layer(passage, flavour):
        for span in spans:
            inside = _token_range(span.start, span.end, passage.text, token_of, len(units))
            for index in inside:
                layers[layer][index] = f"{'B' if index == inside[0] else 'I'}-{span.label}"
    if len(passage.panel_starts) != 1 or "figure_id" in passage.keys:
        for start, end in zip(passage.panel_starts, passage.panel_ends, strict=True):
            inside = _token_range(start, end, passage.text, token_of, len(units))
            if inside:
                layers["panel_start"][inside[0]] = f"B-{PANEL_START}"
    return layers


def _spans_by_layer(passage: Passage, flavour: Flavour) -> Iterator[tuple[str, list[Span]]]:
    """Yield the layers except ``panel_start``, each with its spans, labelled as in the layer."""
    yield "entity_types", [span for span in passage.spans if span.label in flavour.labels]
    for layer, label in ROLE_LAYERS.items():
        with_role = [
            span
            for span in passage.spans
            if span.label == label and span.role and span.role != BORING
        ]
        yield layer, [replace(span, label=span.role) for span in with_role]
    boring = [span for span in passage.spans if span.role == BORING]
    yield "boring", [replace(span, label=BORING) for span in boring]


def _labels_by_character(text: str, units: Sequence[Unit], spans: Sequence[Span]) -> list[str]:
    """Return the labels of ``units`` from the label of each unit's first character."""
    if not spans:
        return [OUTSIDE] * len(units)
    label_at = [""] * (len(text) + 1)
    for span in spans:
        label_at[span.start : span.end] = [span.label] * (span.end - span.start)
    labels: list[str] = []
    for start, _ in units:
        label = label_at[start]
        if not label:
            labels.append(OUTSIDE)
            continue
        continues = bool(labels) and labels[-1].endswith(f"-{label}")
        labels.append(f"{'I' if continues else 'B'}-{label}")
    return labels


def _token_of_character(units: Sequence[Unit]) -> dict[int, int]:
    """Return the token index of each character position.

    A token includes the space before it. Of two tokens that share a character of several bytes,
    the first has it.
    """
    token_of: dict[int, int] = {}
    after_last = 0
    for index, (_, end) in enumerate(units):
        for position in range(after_last, end):
            token_of.setdefault(position, index)
        after_last = max(after_last, end)
    return token_of


def _token_range(start: int, end: int, text: str, token_of: Mapping[int, int], n: int) -> range:
    """Return the indices of the tokens of ``[start, end)``, empty if one end was cut off."""
    first, after = token_of.get(start), token_of.get(end)
    if after is not None and end >= len(text.rstrip(" ")):
        after = n
    return range(0) if first is None or after is None else range(first, after)
