"""Reading rows of sd-nlp, as words or as tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Final, TypeGuard

from ner_engine.align import OUTSIDE, Unit, decode
from ner_engine.errors import FormatError
from ner_engine.formats.jsonl import (
    MAX_LABEL,
    check_labels,
    checked_text,
    lines,
    parse_line,
    string_field,
)
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp.passages import LAYERS, Row
from ner_engine.formats.sd_nlp.tokenizer import BYTE_OF, SPECIAL_TOKENS
from ner_engine.schema import ROLES, Document, Segment, Span, text_hash
from ner_engine.text import trim

_ROLE_LAYERS: Final = ("geneprod_roles", "small_mol_roles", "boring")
#: The last character of a row whose bytes were cut at 512 tokens.
_CUT_CHARACTER: Final = "\ufffd"


def read(
    stream: IO[bytes], *, name: str, report: Report, labels: Collection[str] | None = None
) -> Iterator[Document]:
    """Yield one document per row.

    The text is the row's "text", or else its words joined by a space, or else its decoded tokens.
    The "weight" of a row is kept in ``attributes``. A row that cannot be read, or has a label that
    is not in ``labels`` (None permits all), is refused and named in ``report``.

    Counts: files, documents, refused.
    """
    report.counts["files"] += 1
    for where, line in lines(stream, name, report):
        try:
            document = _document(parse_line(line, where), where)
            check_labels(document, labels, where)
        except FormatError as error:
            report.counts["refused"] += 1
            report.problem(error.where, error.message)
            continue
        report.counts["documents"] += 1
        yield document


def _document(row: Row, where: str) -> Document:
    text, units = _text_of_tokens(row, where) if "tokens" in row else _text_of_words(row, where)
    layers = _layers(row, len(units), where)
    panel, figure = string_field(row, "panel_id", where), string_field(row, "figure_id", where)
    return Document(
        id=panel or figure or string_field(row, "_id", where) or text_hash(text),
        text=text,
        doi=string_field(row, "doi", where) or string_field(row, "_doi", where),
        segments=_segments(text, units, layers["panel_start"], panel),
        gold=tuple(_spans(text, units, layers, where)),
        attributes={"weight": row["weight"]} if "weight" in row else {},
    )


def _segments(
    text: str, units: Sequence[Unit], labels: Sequence[str], panel_id: str
) -> tuple[Segment, ...]:
    """Return the panels: each ends at the next panel, without the white space before it."""
    starts = []
    for (start, _), label in zip(units, labels, strict=True):
        if label != OUTSIDE:
            starts.append(start)
    ends = []
    for start in starts[1:]:
        ends.append(len(text[:start].rstrip()))
    ends.append(len(text))
    return tuple(
        Segment(start, max(start, end), panel_id) for start, end in zip(starts, ends, strict=False)
    )


def _layers(row: Row, n: int, where: str) -> dict[str, list[str]]:
    """Return the labels of all layers, each of length ``n``; a missing layer is O throughout."""
    given = row.get("label_ids")
    if not isinstance(given, dict) or "entity_types" not in given:
        raise FormatError('"label_ids" with "entity_types" is missing', where=where)
    layers = {}
    for layer in LAYERS:
        layers[layer] = given.get(layer, [OUTSIDE] * n)
    for layer, values in layers.items():
        if not _are_strings(values) or len(values) != n:
            raise FormatError(
                f'"{layer}" must have one label per word or token, here {n}', where=where
            )
    return layers


def _are_strings(values: object) -> TypeGuard[list[str]]:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _spans(
    text: str, units: Sequence[Unit], layers: Mapping[str, list[str]], where: str
) -> Iterator[Span]:
    roles = {}
    for layer in _ROLE_LAYERS:
        for entity in decode(units, layers[layer]):
            roles[entity.start, entity.end] = entity.label
    for entity in decode(units, layers["entity_types"]):
        role = roles.get((entity.start, entity.end), "")
        _check_names(entity.label, role, where)
        start, end = trim(text, entity.start, entity.end)
        if start < end:
            yield Span(start, end, entity.label, text[start:end], role)


def _check_names(label: str, role: str, where: str) -> None:
    if role and role not in ROLES:
        raise FormatError(f'"{role[:40]}" is not a role; roles are {", ".join(ROLES)}', where=where)
    if len(label) > MAX_LABEL or not label.isprintable():
        raise FormatError(
            f"{label[:40]!r} is not a label; a label has at most {MAX_LABEL} printable characters",
            where=where,
        )


def _text_of_words(row: Row, where: str) -> tuple[str, list[Unit]]:
    """Return the text of a row and its words as ranges of code points."""
    words = row.get("words")
    if not _are_strings(words) or not all(words):
        raise FormatError('"words" (or "tokens") must be a list of strings', where=where)
    text = _text_or(row, " ".join(words), where)
    units: list[Unit] = []
    cursor = 0
    for word in words:
        while text.startswith(" ", cursor) and word[0] != " ":
            cursor += 1
        if not text.startswith(word, cursor):
            raise FormatError(
                f'"text" does not contain the words in order (word {len(units) + 1} is missing)',
                where=where,
            )
        units.append((cursor, cursor + len(word)))
        cursor += len(word)
    return text, units


def _text_or(row: Row, other: str, where: str) -> str:
    """Return the text of a row, or ``other`` if it has none."""
    return checked_text(row["text"] if isinstance(row.get("text"), str) else other, where)


def _text_of_tokens(row: Row, where: str) -> tuple[str, list[Unit]]:
    """Return the text of a row and its tokens as ranges of code points.

    Special tokens are empty ranges.
    """
    tokens = row["tokens"]
    if not _are_strings(tokens):
        raise FormatError('"tokens" must be a list of strings', where=where)
    data = bytearray()
    boundaries: list[tuple[int, int]] = []
    for token in tokens:
        start = len(data)
        if token not in SPECIAL_TOKENS:
            data += _bytes_of(token, where)
        boundaries.append((start, len(data)))
    decoded = _decoded(data, where)
    text = _text_or(row, decoded, where)
    if not text.startswith(decoded.removesuffix(_CUT_CHARACTER)):
        raise FormatError('"text" does not begin with the text of the tokens', where=where)
    at = _code_points(data)
    return text, [_without_space(text, at[start], at[end]) for start, end in boundaries]


def _bytes_of(token: str, where: str) -> bytes:
    try:
        return bytes(BYTE_OF[char] for char in token)
    except KeyError as error:
        raise FormatError(f"{token[:20]!r} is not a token of roberta-base", where=where) from error


def _decoded(data: bytearray, where: str) -> str:
    """Return the text of the tokens' bytes.

    A last character whose bytes were cut off at 512 tokens becomes U+FFFD.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return data.decode("utf-8", errors="replace")
        raise FormatError(
            "the bytes of the tokens are not valid UTF-8; they are not tokens of roberta-base",
            where=where,
        ) from error


def _without_space(text: str, start: int, end: int) -> Unit:
    while start < end and text[start] == " ":
        start += 1
    return start, end


def _code_points(data: bytes | bytearray) -> list[int]:
    """Return the number of code points that begin before each byte position, and their total."""
    at, n = [0], 0
    for byte in data:
        n += (byte & 0xC0) != 0x80
        at.append(n)
    return at
