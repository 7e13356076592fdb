"""JSONL, the project's own lossless format: one document per line, as a JSON object.

Our rows: ``{"id", "text", "doi", "title", "label", "image", "segments": [{"start", "end", "id",
"marker", "aliases", "image", "attributes"}], "spans": [{"start", "end", "label", "role", "score",
"id", "surface", "attributes"}], "suggestions": [...], "attributes"}``. Only ``text`` is required.

Rows of other tools are read as well:

- doccano: ``"label": [[start, end, "LABEL"]]`` or ``"entities": [{"start_offset", "end_offset",
  "label"}]``;
- corpora: ``"entities": [{"start", "end", "type", "text"}]``, or ``"spans": [[start, end]]``
  instead of the offsets. An entity of several such pieces becomes one span from the first to the
  last character. It has no label, because the text between the pieces is not part of the entity;
  ``attributes`` keeps label and pieces.

A row that another tool marked as rejected, ignored, skipped or cancelled is read without its spans
(see ``formats.foreign``) and written with ``"answer": "reject"``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import IO, Any, Final

from ner_engine.errors import FormatError, OffsetError
from ner_engine.formats import foreign
from ner_engine.formats.report import Report
from ner_engine.schema import ROLES, Document, Segment, Span, check_offsets, text_hash

MAX_LINE_BYTES: Final = 16 * 1024**2
MAX_SPAN_ID: Final = 60
MAX_LABEL: Final = 50
#: Refuses NaN and infinity, and writes a NUL as six characters, so that few objects need a second
#: check.
_STRICTLY: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def read(
    stream: IO[bytes], *, name: str, report: Report, labels: Collection[str] | None = None
) -> Iterator[Document]:
    """Yield the documents of a JSONL file.

    A line that is not a document is refused and named in ``report``. So is a line with a label
    that is not in ``labels`` (None permits all), or with annotations that cannot be read.

    Counts: files, documents, refused, spans_in_pieces, rows_rejected (by another tool).
    """
    report.counts["files"] += 1
    n_rejected = 0
    for where, line in lines(stream, name, report):
        try:
            row = parse_line(line, where)
            document = document_from_json(row, where)
            if not document.is_rejected:
                foreign.check_keys(row, where)
            check_labels(document, labels, where)
        except FormatError as error:
            report.counts["refused"] += 1
            report.problem(error.where, error.message)
            continue
        report.counts["documents"] += 1
        if n := sum("pieces" in span.attributes for span in document.gold):
            report.counts["spans_in_pieces"] += n
        if document.is_rejected:
            n_rejected += 1
            report.counts["rows_rejected"] += 1
        yield document
    if n_rejected:
        report.note(name, foreign.sentence_of_rejected(n_rejected))


def lines(stream: IO[bytes], name: str, report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield the non-empty lines, each with its place ``name, line N``.

    A line longer than ``MAX_LINE_BYTES`` is refused and named in ``report``.
    """
    number = 0
    empty = True
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        where = f"{name}, line {number}"
        if len(line) > MAX_LINE_BYTES:
            report.counts["refused"] += 1
            report.problem(
                where,
                f"the line is longer than {MAX_LINE_BYTES // 1024**2} MB; put one document on each"
                " line",
            )
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
        elif line.strip():
            empty = False
            yield where, line
    if empty:
        report.problem(name, "the file is empty; export it again from its source")


def parse_line(line: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object on a line. Raise ``FormatError`` if it is none."""
    try:
        row = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_object)
    except _RepeatedKeyError as error:
        raise FormatError(
            f'it has the key "{error}" twice in one object; keep one', where=where
        ) from error
    except UnicodeDecodeError as error:
        raise FormatError(
            f"it is not valid UTF-8 (byte {error.start}); save the file as UTF-8", where=where
        ) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"it is not JSON ({str(error)[:80]}); every line must be one JSON object", where=where
        ) from error
    if not isinstance(row, dict):
        raise FormatError(
            'it is not a JSON object; every line must be one, such as {"text": "…"}', where=where
        )
    return row


class _RepeatedKeyError(ValueError):
    """A JSON object has the same key twice. The message is the key."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Refuse a repeated key, because its first value would be lost."""
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = Counter(key for key, _ in pairs)
        raise _RepeatedKeyError(foreign.key_in_words(keys.most_common(1)[0][0]))
    return row


def document_from_json(row: Mapping[str, Any], where: str) -> Document:
    """Return the document of a row, without spans if another tool rejected it.

    Raise ``FormatError`` if a field has the wrong type, an offset does not fit, or a span has no
    label.
    """
    text = checked_text(row.get("text"), where)
    is_rejected = foreign.is_rejected(row, where)
    document = Document(
        id=string_field(row, "id", where) or text_hash(text),
        text=text,
        doi=string_field(row, "doi", where),
        title=string_field(row, "title", where),
        label=row["label"] if isinstance(row.get("label"), str) else "",
        image=string_field(row, "image", where),
        segments=tuple(_segment(item, len(text), where) for item in _list(row, "segments", where)),
        gold=() if is_rejected else tuple(_spans(row, foreign.SPAN_KEYS, text, where)),
        suggestions=() if is_rejected else tuple(_spans(row, ("suggestions",), text, where)),
        attributes=_mapping(row, "attributes", where),
        is_rejected=is_rejected,
    )
    for spans in (document.gold, document.suggestions):
        ids = [span.id for span in spans if span.id]
        if len(ids) != len(set(ids)):
            raise FormatError(
                "two spans have the same id; ids must be unique within a document", where=where
            )
    return document


def checked_text(text: object, where: str) -> str:
    """Return ``text`` if it can be stored.

    Raise ``FormatError`` if it is not a string, is blank, or has a NUL or a lone surrogate.
    """
    if not isinstance(text, str):
        raise FormatError('"text" is missing or not a string', where=where)
    if not text.strip():
        raise FormatError('"text" is empty', where=where)
    if "\0" in text:
        raise FormatError("the text holds a NUL character; remove it", where=where)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(
            f"the text holds half a character (a lone surrogate at {error.start}); correct its"
            " encoding",
            where=where,
        ) from error
    return text


def document_to_json(document: Document) -> dict[str, Any]:
    """Return the row of a document, without empty fields.

    ``document_from_json`` returns the same document for it.
    """
    row: dict[str, Any] = {"id": document.id, "text": document.text}
    for key in ("doi", "title", "label", "image"):
        if value := getattr(document, key):
            row[key] = value
    if document.segments:
        row["segments"] = [_segment_to_json(segment) for segment in document.segments]
    row["spans"] = [span_to_json(span) for span in document.gold]
    if document.suggestions:
        row["suggestions"] = [span_to_json(span) for span in document.suggestions]
    if document.attributes:
        row["attributes"] = dict(document.attributes)
    if document.is_rejected:
        row["answer"] = "reject"
    return row


def span_to_json(span: Span) -> dict[str, Any]:
    """Return a span as an object of our format, without empty fields."""
    row: dict[str, Any] = {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "surface": span.surface,
    }
    if span.role:
        row["role"] = span.role
    if span.score is not None:
        row["score"] = span.score
    if span.id:
        row["id"] = span.id
    if span.attributes:
        row["attributes"] = dict(span.attributes)
    return row


def write(documents: Iterable[Document], stream: IO[str]) -> int:
    """Write one line per document and return their number."""
    n = 0
    for document in documents:
        stream.write(json.dumps(document_to_json(document), ensure_ascii=False) + "\n")
        n += 1
    return n


def _segment_to_json(segment: Segment) -> dict[str, Any]:
    row: dict[str, Any] = {"start": segment.start, "end": segment.end}
    for key in ("id", "marker", "image"):
        if value := getattr(segment, key):
            row[key] = value
    if segment.aliases:
        row["aliases"] = list(segment.aliases)
    if segment.attributes:
        row["attributes"] = dict(segment.attributes)
    return row


def string_field(row: Mapping[str, Any], key: str, where: str) -> str:
    """Return the string under ``key``: "" if it is missing, the digits of a whole number.

    Raise ``FormatError`` for other types, and for a string that cannot be stored.
    """
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not _is_storable(value):
        raise FormatError(f'"{key}" must be a plain string', where=where)
    return value


def _is_storable(value: str) -> bool:
    """Return whether the database can store ``value``: no NUL, no lone surrogate."""
    if value.isascii():
        return "\0" not in value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _list(row: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise FormatError(f'"{key}" must be a list', where=where)
    return value


def _mapping(row: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = row.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FormatError(f'"{key}" must be an object', where=where)
    if value and not _holds_only_storable(value):
        raise FormatError(
            f'"{key}" holds a lone surrogate, a NUL, NaN or an infinite number', where=where
        )
    return value


def _holds_only_storable(value: dict[str, Any]) -> bool:
    """Return whether all keys and strings can be stored, and all numbers are finite."""
    try:
        written = _STRICTLY.encode(value)
    except (ValueError, RecursionError):
        return False
    return _is_storable(written) and (
        "\\u0000" not in written or all(map(_is_storable, _strings_of(value)))
    )


def _strings_of(value: object) -> Iterator[str]:
    """Yield all keys and strings in ``value``, at any depth."""
    remaining = [value]
    while remaining:
        part = remaining.pop()
        if isinstance(part, dict):
            remaining += [*part, *part.values()]
        elif isinstance(part, list):
            remaining += part
        elif isinstance(part, str):
            yield part


def _segment(item: object, length: int, where: str) -> Segment:
    if (
        not isinstance(item, dict)
        or type(item.get("start")) is not int
        or type(item.get("end")) is not int
    ):
        raise FormatError('a panel needs whole numbers "start" and "end"', where=where)
    if not 0 <= item["start"] <= item["end"] <= length:
        raise FormatError(
            f"the panel {item['start']}-{item['end']} lies outside the text of {length} characters",
            where=where,
        )
    aliases = _list(item, "aliases", where)
    if not all(isinstance(alias, str) and _is_storable(alias) for alias in aliases):
        raise FormatError('"aliases" of a panel must be plain strings', where=where)
    return Segment(
        item["start"],
        item["end"],
        string_field(item, "id", where),
        string_field(item, "marker", where),
        tuple(aliases),
        string_field(item, "image", where),
        _mapping(item, "attributes", where),
    )


def _spans(row: Mapping[str, Any], keys: Iterable[str], text: str, where: str) -> Iterator[Span]:
    """Yield the spans under any of ``keys``, each once.

    A string under "label" is the label of the figure, not a list of spans. In our own format, two
    equal spans with different ids are two spans. Other tools write one span under several keys,
    with different ids or none.
    """
    seen: set[tuple[object, ...]] = set()
    for key in keys:
        if isinstance(row.get(key), str) and (key == "label" or not row[key]):
            continue
        for item in _list(row, key, where):
            span = _span(item, text, where)
            facts = (span.start, span.end, span.label, span.role)
            is_ours = isinstance(item, dict) and "surface" in item
            if (*facts, span.id if is_ours else "") not in seen:
                yield span
            seen |= {(*facts, span.id), (*facts, "")}


def _span(item: object, text: str, where: str) -> Span:
    if isinstance(item, list) and len(item) == 3:
        item = {"start": item[0], "end": item[1], "label": item[2]}
    if not isinstance(item, dict):
        raise FormatError(
            'a span must be an object {"start", "end", "label"} or a list [start, end, label]',
            where=where,
        )
    item = _joined(item, foreign.label_of(item, where), where)
    start, end = _offsets(item, text, where)
    surface = text[start:end]
    if item.get("surface", item.get("text", surface)) != surface:
        raise FormatError(
            f"the text at {start}-{end} is not the surface of the span; the text or the offsets"
            " were changed",
            where=where,
        )
    label, key = string_field(item, "label", where), string_field(item, "id", where)
    if len(key) > MAX_SPAN_ID or len(label) > MAX_LABEL:
        raise FormatError(
            f"a span's id may have {MAX_SPAN_ID} characters, its label {MAX_LABEL}", where=where
        )
    return Span(
        start,
        end,
        label,
        surface,
        role=_role(item, where),
        score=_score(item, where),
        id=key,
        attributes=_mapping(item, "attributes", where),
    )


def _offsets(item: Mapping[str, Any], text: str, where: str) -> tuple[int, int]:
    start: Any = item.get("start", item.get("start_offset"))
    end: Any = item.get("end", item.get("end_offset"))
    try:
        check_offsets(start, end, text)
    except OffsetError as error:
        raise FormatError(str(error), where=where) from error
    return start, end


def _role(item: Mapping[str, Any], where: str) -> str:
    role = string_field(item, "role", where)
    if role and role not in ROLES:
        raise FormatError(f'"{role[:40]}" is not a role; roles are {", ".join(ROLES)}', where=where)
    return role


def _score(item: Mapping[str, Any], where: str) -> float | None:
    score = item.get("score")
    if score is None:
        return None
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    if not is_number or not 0 <= score <= 1:
        raise FormatError('"score" must be a number from 0 to 1', where=where)
    return float(score)


def _joined(item: Mapping[str, Any], label: str, where: str) -> dict[str, Any]:
    """Return a span that may be given in pieces as one span with ``label``.

    If there are several pieces, the label and the pieces become attributes.
    """
    pieces = item.get("spans")
    if pieces is None:
        return {**item, "label": label}
    if (
        not isinstance(pieces, list)
        or not pieces
        or not all(isinstance(piece, list) and len(piece) == 2 for piece in pieces)
    ):
        raise FormatError('"spans" of a span must be a list of [start, end]', where=where)
    boundaries = {"start": pieces[0][0], "end": pieces[-1][1]}
    if len(pieces) == 1:
        return {**item, **boundaries, "label": label}
    labels = {}
    for key in foreign.LABEL_KEYS:
        if key in item:
            labels[key] = item[key]
    return {**boundaries, "attributes": {"pieces": pieces} | labels}


def check_labels(document: Document, labels: Collection[str] | None, where: str) -> None:
    """Raise ``FormatError`` if a span has a label that is not in ``labels`` (None permits all)."""
    if labels is None:
        return
    for span in (*document.gold, *document.suggestions):
        if span.label and span.label not in labels:
            raise FormatError(
                f'"{span.label[:40]}" is not a label of this project ({", ".join(sorted(labels))})',
                where=where,
            )
