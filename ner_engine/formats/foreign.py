"""JSONL rows written by other annotation tools: rejected rows, labels, and unknown annotations.

A row that another tool rejected, or a span without a label, must not count as a person's decision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ner_engine.errors import FormatError

#: Keys of a row that may hold its spans. "label" holds a list of spans only in doccano's rows.
SPAN_KEYS: Final = ("spans", "entities", "label", "labels")
#: Keys of a span that may hold its label; the first that is not empty counts.
LABEL_KEYS: Final = ("label", "labels", "type", "ontology", "entity_group", "entity", "tag")

#: Flags and words that mark a row as not accepted.
_REJECTED_FLAGS: Final = (
    *("was_cancelled", "is_cancelled", "cancelled", "canceled", "skipped", "is_skipped"),
    *("rejected", "is_rejected", "ignored", "is_ignored", "discarded"),
)
_STATUS_KEYS: Final = ("answer", "status", "state", "annotation_status", "review_status")
_REJECTED_WORDS: Final = frozenset(
    [
        "reject",
        "rejected",
        "ignore",
        "ignored",
        "skip",
        "skipped",
        "cancel",
        "cancelled",
        "canceled",
        "discard",
        "discarded",
    ]
)
_ACCEPTED_ANSWERS: Final = frozenset({"", "accept", "accepted"})

#: Keys that are read, or that hold offsets without being annotations.
_KNOWN_KEYS: Final = frozenset(
    [
        "id",
        "text",
        "doi",
        "title",
        "label",
        "image",
        "segments",
        "spans",
        "entities",
        "labels",
        "suggestions",
        "attributes",
        "meta",
        "metadata",
        "sents",
        "relations",
    ]
)
#: Keys that hold annotations in other formats.
_ANNOTATION_KEYS: Final = frozenset(
    [
        "annotation",
        "annotations",
        "bio",
        "bio_tags",
        "completions",
        "denotations",
        "ents",
        "entity",
        "gold",
        "ground_truth",
        "highlights",
        "iob",
        "iob_tags",
        "label_ids",
        "mentions",
        "ner",
        "ner_labels",
        "ner_tags",
        "passages",
        "prediction",
        "predictions",
        "responses",
        "result",
        "results",
        "tags",
        "targets",
    ]
)
_START_KEYS: Final = frozenset(
    ["start", "begin", "start_offset", "startoffset", "start_char", "offset"]
)
_END_KEYS: Final = frozenset(["end", "stop", "end_offset", "endoffset", "end_char", "length"])
_TOKEN_LABEL_KEYS: Final = frozenset(
    ["label", "ner", "ner_tag", "ent_type", "ent_iob", "iob", "bio"]
)
#: A list of spans written as a string, as in tables.
_WRITTEN_LIST: Final = re.compile(r"\s*\[\s*[\[({].*\d", re.DOTALL)
_TOKEN_LABEL: Final = re.compile(r"[BIOESLU]-|O$")


def is_rejected(row: Mapping[str, Any], where: str) -> bool:
    """Return whether another tool marked the row as rejected, ignored, skipped or cancelled.

    Raise ``FormatError`` for a row with spans and an unknown "answer".
    """
    if any(_is_true(row.get(key)) for key in _REJECTED_FLAGS):
        return True
    if any(_word(row.get(key)) in _REJECTED_WORDS for key in _STATUS_KEYS):
        return True
    answer = row.get("answer")
    if answer is None or _word(answer) in _ACCEPTED_ANSWERS:
        return False
    if any(isinstance(row.get(key), list) and row[key] for key in SPAN_KEYS):
        raise FormatError(
            f'its "answer" is {_shown(answer)}, which does not say whether its spans were accepted;'
            " write accept, reject or ignore",
            where=where,
        )
    return False


def _is_true(value: object) -> bool:
    return value is True or value == 1 or _word(value) == "true"


def _word(value: object) -> str | None:
    return value.strip().lower() if isinstance(value, str) else None


def label_of(span: Mapping[str, Any], where: str) -> str:
    """Return the label of a span, "" only for a span of our own format without a label.

    Our own format writes the surface of every span, and ``"label": ""`` for a curated tag that has
    no label. Raise ``FormatError`` if the label is missing, not a string, or that of a token.
    """
    for key in LABEL_KEYS:
        value = span.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str) or not value.strip():
            raise FormatError(
                f'"{key}" of {_place(span)} must be a plain string that names one label, not'
                f" {_shown(value)}; correct it, or remove the span",
                where=where,
            )
        if key in {"entity_group", "entity", "tag"} and _TOKEN_LABEL.match(value):
            raise FormatError(
                f"{_place(span)} has the label {_shown(value)} of a token, not of an entity; merge"
                " the tokens into entities before you export them",
                where=where,
            )
        return value
    if span.get("label") == "" and isinstance(span.get("surface"), str):
        return ""
    raise FormatError(
        f'{_place(span)} has no label; add one under "label", or remove the span',
        where=where,
    )


def _place(span: Mapping[str, Any]) -> str:
    start = span.get("start", span.get("start_offset"))
    end = span.get("end", span.get("end_offset"))
    return f"the span {start}-{end}" if type(start) is type(end) is int else "a span"


def _shown(value: object) -> str:
    """Return ``value`` as a message may quote it: short, and without odd characters."""
    return ascii(value)[:40]


def check_keys(row: Mapping[str, Any], where: str) -> None:
    """Raise ``FormatError`` if a row has annotations under a key or in a form that is not read.

    Without this check they would be dropped silently, and a labelled text would look like one
    without entities.
    """
    for key, value in row.items():
        if value and _is_unread(key, value):
            raise FormatError(
                f'it has annotations under "{key_in_words(key)}" in a form that cannot be read;'
                ' write them as "spans": [{"start", "end", "label"}], or remove them',
                where=where,
            )


def _is_unread(key: str, value: object) -> bool:
    """Return whether ``key`` holds annotations that ``jsonl`` does not read."""
    if key in SPAN_KEYS and isinstance(value, str):
        return key != "label" or bool(_WRITTEN_LIST.match(value))
    if key in _KNOWN_KEYS:
        return False
    if isinstance(value, str):
        return key.lower() in _ANNOTATION_KEYS and bool(_WRITTEN_LIST.match(value))
    if not isinstance(value, list | dict):
        return False
    if key == "tokens":
        return any(isinstance(token, dict) and _TOKEN_LABEL_KEYS & token.keys() for token in value)
    return key.lower() in _ANNOTATION_KEYS or _holds_spans(value)


def _holds_spans(value: object) -> bool:
    """Return whether ``value``, or anything nested in it, looks like a span."""
    remaining = [(value, False)]
    while remaining:
        part, is_in_list = remaining.pop()
        if isinstance(part, dict):
            if _looks_like_span(part, is_in_list=is_in_list):
                return True
            for inner in part.values():
                remaining.append((inner, is_in_list))
        elif isinstance(part, list):
            if list(map(type, part)) == [int, int, str]:
                return True
            for inner in part:
                remaining.append((inner, True))
    return False


def _looks_like_span(part: Mapping[str, Any], *, is_in_list: bool) -> bool:
    """Return whether an object has offsets, and is in a list or has a label."""
    keys = set()
    for key, inner in part.items():
        if _is_offset(inner):
            keys.add(key.lower())
    if not (keys & _START_KEYS and keys & _END_KEYS):
        return False
    return is_in_list or any(part.get(key) for key in LABEL_KEYS)


def _is_offset(value: object) -> bool:
    if isinstance(value, str):
        return value.isdigit()
    return isinstance(value, int | float) and not isinstance(value, bool)


def key_in_words(key: str) -> str:
    """Return a key of a row as a message may quote it: short, and without odd characters."""
    return ascii(key[:40])[1:-1]


def sentence_of_rejected(n: int) -> str:
    """Return the note of a report about ``n`` rows that another tool did not accept."""
    if n == 1:
        return (
            "1 row was marked as rejected or ignored by the other tool. It was imported without its"
            " entities and needs a review."
        )
    return (
        f"{n:,} rows were marked as rejected or ignored by the other tool. They were imported"
        " without their entities and need a review."
    )
