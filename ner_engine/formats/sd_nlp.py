"""sd-nlp, the form of EMBO's public data sets: one JSON object a line, a panel (``sd_panels``) or a
figure (``sd_figs``), as words or as tokens.

The default is correct: the last word is kept, touching entities begin with B-, and what words
cannot hold is listed as lossy. ``PUBLIC`` reproduces the public converter to the letter, its two
defects included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from ner_engine.align import OUTSIDE, Unit, decode, encode, mark, units_starting_in
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
from ner_engine.formats.sourcedata_xml import EXAMPLE_MIN_CHARACTERS
from ner_engine.schema import (
    BORING,
    ENTITY_LABELS,
    PUBLIC_ENTITY_LABELS,
    ROLES,
    Document,
    Segment,
    Span,
    text_hash,
)
from ner_engine.text import trim, word_boundaries

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

MAX_TOKENS: Final = 512
PANEL_START: Final = "PANEL_START"
LAYERS: Final = ("entity_types", "geneprod_roles", "small_mol_roles", "boring", "panel_start")
_ROLE_LAYERS: Final = {"geneprod_roles": "GENEPROD", "small_mol_roles": "SMALL_MOLECULE"}
_LAYER_OF: Final = {label: layer for layer, label in _ROLE_LAYERS.items()}
_SPECIAL_TOKENS: Final = frozenset({"<s>", "</s>", "<pad>"})
_CUT_CHARACTER: Final = "\ufffd"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Passage:
    """What becomes a row: a text, its spans, where panels start, and the keys that say whence it
    comes."""

    text: str
    spans: tuple[Span, ...]
    panel_starts: tuple[int, ...]
    panel_ends: tuple[int, ...]
    keys: Mapping[str, str]
    where: str


@dataclass(frozen=True, slots=True)
class Flavour:
    """How rows are made. ``labels`` are those written; ``examples_only`` takes panels by the data
    sets' rule alone; ``public`` see the module."""

    labels: tuple[str, ...] = ENTITY_LABELS
    examples_only: bool = False
    public: bool = False


DEFAULT: Final = Flavour()
PUBLIC: Final = Flavour(PUBLIC_ENTITY_LABELS, examples_only=True, public=True)


def panel_passages(
    document: Document, report: Report, flavour: Flavour = DEFAULT
) -> Iterator[Passage]:
    """A passage a panel; a document without panels is one panel. Spans outside or across panels are
    lossy."""
    segments = document.segments or (Segment(0, len(document.text), document.id),)
    placed = 0
    for segment in segments:
        inside = [
            span
            for span in document.gold
            if segment.start <= span.start and span.end <= segment.end
        ]
        placed += len(inside)
        text = document.text[segment.start : segment.end]
        if not text.strip() or (
            flavour.examples_only and not (len(text) > EXAMPLE_MIN_CHARACTERS and inside)
        ):
            continue
        moved = (
            tuple(span.moved(-segment.start) for span in inside) if segment.start else tuple(inside)
        )
        keys = {
            "panel_id": segment.id or f"{document.id}:{segment.marker or segment.start}",
            "doi": document.doi,
        }
        yield Passage(
            text,
            moved,
            (0,),
            (len(text),),
            keys,
            f"{document.doi or document.id}, panel {keys['panel_id']}",
        )
    if placed < len(document.gold) and not flavour.public:
        for span in document.gold:
            if not any(
                segment.start <= span.start and span.end <= segment.end for segment in segments
            ):
                report.lose(
                    f"{document.doi or document.id}, {span.start}-{span.end} {span.label}",
                    "it lies in no single panel, so no panel row holds it",
                )


def figure_passage(document: Document) -> Passage:
    """The whole figure as one passage."""
    keys = {"figure_id": document.id, "doi": document.doi}
    starts = tuple(segment.start for segment in document.segments)
    ends = tuple(segment.end for segment in document.segments)
    return Passage(
        document.text,
        document.gold,
        starts,
        ends,
        keys,
        f"{document.doi or 'no DOI'}, figure {document.id}",
    )


def word_row(passage: Passage, report: Report, flavour: Flavour = DEFAULT) -> Row:
    """``{"words", "label_ids", "text", "panel_id" or "figure_id", "doi"}``."""
    units: list[Unit] = word_boundaries(passage.text)
    if flavour.public and passage.text and passage.text[-1].isalnum():
        units = units[:-1]
    labels = (
        _public_word_labels(passage, units, flavour)
        if flavour.public
        else _labels(passage, units, report, flavour)
    )
    return {
        "words": [passage.text[start:end] for start, end in units],
        **passage.keys,
        "label_ids": labels,
        "text": passage.text,
    }


def token_row(
    passage: Passage, report: Report, tokenizer: Tokenizer, flavour: Flavour = DEFAULT
) -> Row:
    """``{"tokens", "input_ids", "label_ids", "text", "panel_id" or "figure_id", "doi"}``, cut at
    512 tokens; special tokens are O."""
    return encoded_row(passage, report, tokenizer.encode(passage.text), flavour)


def encoded_row(
    passage: Passage, report: Report, encoding: Encoding, flavour: Flavour = DEFAULT
) -> Row:
    """``token_row`` of a passage whose text the tokenizer has encoded already, many at a time."""
    inner = [index for index, special in enumerate(encoding.special_tokens_mask) if not special]
    offsets, ids = encoding.offsets, encoding.ids
    units: list[Unit] = [offsets[index] for index in inner]
    found = (
        _public_token_labels(passage, units, flavour)
        if flavour.public
        else _labels(passage, units, report, flavour)
    )
    labels = {layer: _at_places(found[layer], inner, len(ids)) for layer in LAYERS}
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
    """``n`` labels with ``values`` at ``places``, O elsewhere. The places are one stretch wherever
    special tokens stand at the ends alone."""
    if places and places[-1] - places[0] + 1 == len(places):
        return [OUTSIDE] * places[0] + values + [OUTSIDE] * (n - places[-1] - 1)
    labels = [OUTSIDE] * n
    for place, value in zip(places, values, strict=True):
        labels[place] = value
    return labels


def load_tokenizer(name: str) -> Tokenizer:
    """A RoBERTa tokenizer from a folder (``tokenizer.json``, or ``vocab.json`` and ``merges.txt``)
    or a name in the local hub cache."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - only the tokenised form needs it
    from tokenizers.implementations import ByteLevelBPETokenizer  # noqa: PLC0415
    from tokenizers.processors import RobertaProcessing  # noqa: PLC0415

    folder = Path(name) if Path(name).is_dir() else _cached_folder(name)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        bpe = ByteLevelBPETokenizer(
            str(folder / "vocab.json"), str(folder / "merges.txt"), add_prefix_space=False
        )
        first, last = bpe.token_to_id("<s>"), bpe.token_to_id("</s>")
        if first is None or last is None:
            raise FormatError(
                "its vocabulary has no <s> and </s>; give the folder of roberta-base's tokenizer",
                where=name,
            )
        bpe._tokenizer.post_processor = RobertaProcessing(
            ("</s>", last), ("<s>", first), trim_offsets=True, add_prefix_space=False
        )
        bpe.add_special_tokens(["<s>", "</s>", "<pad>", "<unk>", "<mask>"])
        tokenizer: Tokenizer = bpe._tokenizer
    elif (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
    else:
        raise FormatError(
            "the folder holds neither tokenizer.json nor vocab.json with merges.txt", where=name
        )
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _cached_folder(name: str) -> Path:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

    for file in ("tokenizer.json", "vocab.json"):
        found = try_to_load_from_cache(name, file)
        if isinstance(found, str):
            return Path(found).parent
    raise FormatError(
        "there is no such folder, and no such tokenizer in the cache; fetch it with `hf download"
        f" {name}`, or give a folder",
        where=name,
    )


def _labels(
    passage: Passage, units: Sequence[Unit], report: Report, flavour: Flavour
) -> dict[str, list[str]]:
    """All layers. Roles stand where their entity stands; a reporter or component that is no entity
    of sd-nlp is BORING all the same."""
    encoded = encode(units, [span for span in passage.spans if span.label in flavour.labels])
    for span, reason in encoded.lossy:
        report.lose(f"{passage.where}, {span.start}-{span.end} {span.label}", reason)
    others = [span for span in passage.spans if span.label not in flavour.labels]
    report.counts["spans_without_sd_nlp_label"] += len(others)
    layers = {layer: [OUTSIDE] * len(units) for layer in LAYERS} | {"entity_types": encoded.labels}
    for span, inside in encoded.placed:
        if span.role == BORING:
            mark(layers["boring"], inside, BORING)
        elif span.role and span.label in _LAYER_OF:
            mark(layers[_LAYER_OF[span.label]], inside, span.role)
    starts = [unit[0] for unit in units]
    for span in others:
        inside = units_starting_in(starts, span.start, span.end)
        if (
            span.role == BORING
            and inside
            and all(layers["boring"][index] == OUTSIDE for index in inside)
        ):
            mark(layers["boring"], inside, BORING)
    for start in passage.panel_starts:
        first = bisect_right(units, start, key=itemgetter(1))
        if first < len(units):
            layers["panel_start"][first] = f"B-{PANEL_START}"
    return layers


def _role_spans(spans: Iterable[Span]) -> Iterator[tuple[str, list[Span]]]:
    for layer, label in _ROLE_LAYERS.items():
        yield (
            layer,
            [
                replace(span, label=span.role)
                for span in spans
                if span.label == label and span.role and span.role != BORING
            ],
        )
    yield "boring", [replace(span, label=BORING) for span in spans if span.role == BORING]


def _public_word_labels(
    passage: Passage, units: Sequence[Unit], flavour: Flavour
) -> dict[str, list[str]]:
    """The public word converter's labels: it paints characters, so that neighbouring words of one
    type become one entity."""
    layers = {
        layer: _painted(passage.text, units, spans)
        for layer, spans in _public_layers(passage, flavour)
    }
    layers["panel_start"] = [OUTSIDE] * len(units)
    for start in passage.panel_starts:
        index = bisect_right(units, start, key=itemgetter(1))
        if index < len(units) and units[index][0] <= start:
            layers["panel_start"][index] = f"B-{PANEL_START}"
    return layers


def _public_layers(passage: Passage, flavour: Flavour) -> Iterator[tuple[str, list[Span]]]:
    yield "entity_types", [span for span in passage.spans if span.label in flavour.labels]
    yield from _role_spans(passage.spans)


def _painted(text: str, units: Sequence[Unit], spans: Sequence[Span]) -> list[str]:
    if not spans:
        return [OUTSIDE] * len(units)
    paint = [""] * (len(text) + 1)
    for span in spans:
        paint[span.start : span.end] = [span.label] * (span.end - span.start)
    labels: list[str] = []
    for start, _ in units:
        label = paint[start]
        goes_on = bool(labels) and labels[-1].endswith(f"-{label}")
        labels.append(f"{'I' if goes_on else 'B'}-{label}" if label else OUTSIDE)
    return labels


def _public_token_labels(
    passage: Passage, units: Sequence[Unit], flavour: Flavour
) -> dict[str, list[str]]:
    """The public token converter's labels: an element reaches from the token of its first character
    to before the token of the character behind it, and is dropped where the cut at 512 tokens took
    its end."""
    token_of: dict[int, int] = {}
    behind_last = 0
    for index, (_, end) in enumerate(units):
        for position in range(
            behind_last, end
        ):  # a token holds the space before it; two may share a character of several bytes
            token_of.setdefault(position, index)
        behind_last = max(behind_last, end)
    layers = {layer: [OUTSIDE] * len(units) for layer in LAYERS}
    for layer, spans in _public_layers(passage, flavour):
        for span in spans:
            inside = _token_range(span.start, span.end, passage.text, token_of, len(units))
            for index in inside:
                layers[layer][index] = f"{'B' if index == inside[0] else 'I'}-{span.label}"
    if len(passage.panel_starts) != 1 or "figure_id" in passage.keys:
        ends = passage.panel_ends
        for start, end in zip(passage.panel_starts, ends, strict=True):
            inside = _token_range(start, end, passage.text, token_of, len(units))
            if inside:
                layers["panel_start"][inside[0]] = f"B-{PANEL_START}"
    return layers


def _token_range(start: int, end: int, text: str, token_of: Mapping[int, int], n: int) -> range:
    first, behind = token_of.get(start), token_of.get(end)
    if behind is not None and end >= len(text.rstrip(" ")):
        behind = n
    return range(0) if first is None or behind is None else range(first, behind)


def read(
    stream: IO[bytes], *, name: str, report: Report, labels: Collection[str] | None = None
) -> Iterator[Document]:
    """Documents of sd-nlp rows, by words or tokens; a row that cannot be one is refused by its line
    number.

    The text is the row's "text", else its words joined with a space, else what its tokens spell. A
    row's "weight" is kept. ``labels``: where given, an entity with another label refuses its row.
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
    starts = [
        units[index][0] for index, value in enumerate(layers["panel_start"]) if value != OUTSIDE
    ]
    ends = [*(len(text[:start].rstrip()) for start in starts[1:]), len(text)]
    panel, figure = string_field(row, "panel_id", where), string_field(row, "figure_id", where)
    return Document(
        id=panel or figure or string_field(row, "_id", where) or text_hash(text),
        text=text,
        doi=string_field(row, "doi", where) or string_field(row, "_doi", where),
        segments=tuple(
            Segment(start, max(start, end), panel) for start, end in zip(starts, ends, strict=False)
        ),
        gold=tuple(_spans(text, units, layers, where)),
        attributes={"weight": row["weight"]} if "weight" in row else {},
    )


def _layers(row: Row, n: int, where: str) -> dict[str, list[str]]:
    given = row.get("label_ids")
    if not isinstance(given, dict) or "entity_types" not in given:
        raise FormatError('"label_ids" with "entity_types" is missing', where=where)
    layers = {layer: given.get(layer, [OUTSIDE] * n) for layer in LAYERS}
    for layer, values in layers.items():
        if (
            not isinstance(values, list)
            or len(values) != n
            or not all(isinstance(value, str) for value in values)
        ):
            raise FormatError(
                f'"{layer}" must hold one label a word or token, {n} here', where=where
            )
    return layers


def _spans(
    text: str, units: Sequence[Unit], layers: Mapping[str, list[str]], where: str
) -> Iterator[Span]:
    roles = {
        (found.start, found.end): found.label
        for layer in LAYERS[1:4]
        for found in decode(units, layers[layer])
    }
    for found in decode(units, layers["entity_types"]):
        role = roles.get((found.start, found.end), "")
        if role and role not in ROLES:
            raise FormatError(
                f'"{role[:40]}" is no role; roles are {", ".join(ROLES)}', where=where
            )
        if len(found.label) > MAX_LABEL or not found.label.isprintable():
            raise FormatError(
                f"{found.label[:40]!r} is no label; a label has at most {MAX_LABEL} printable"
                " characters",
                where=where,
            )
        start, end = trim(text, found.start, found.end)
        if start < end:
            yield Span(start, end, found.label, text[start:end], role)


def _text_of_words(row: Row, where: str) -> tuple[str, list[Unit]]:
    tokens = row.get("words")
    if not isinstance(tokens, list) or not all(
        isinstance(token, str) and token for token in tokens
    ):
        raise FormatError('"words" (or "tokens") must be a list of strings', where=where)
    text = checked_text(
        row["text"] if isinstance(row.get("text"), str) else " ".join(tokens), where
    )
    units: list[Unit] = []
    cursor = 0
    for token in tokens:
        while text.startswith(" ", cursor) and token[0] != " ":
            cursor += 1
        if not text.startswith(token, cursor):
            raise FormatError(
                f'"text" does not hold the words in their order (word {len(units) + 1} is missing)',
                where=where,
            )
        units.append((cursor, cursor + len(token)))
        cursor += len(token)
    return text, units


def _text_of_tokens(row: Row, where: str) -> tuple[str, list[Unit]]:
    """The row's text, else what its byte-level BPE tokens spell, and the code points of each token;
    special tokens are empty."""
    tokens = row["tokens"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise FormatError('"tokens" must be a list of strings', where=where)
    data = bytearray()
    edges: list[tuple[int, int]] = []
    for token in tokens:
        start = len(data)
        if token not in _SPECIAL_TOKENS:
            try:
                data.extend(_BYTE_OF[char] for char in token)
            except KeyError as error:
                raise FormatError(
                    f"{token[:20]!r} is no token of roberta-base", where=where
                ) from error
        edges.append((start, len(data)))
    spelled = _decoded(data, where)
    text = checked_text(row["text"] if isinstance(row.get("text"), str) else spelled, where)
    if not text.startswith(spelled.removesuffix(_CUT_CHARACTER)):
        raise FormatError('"text" does not begin with what the tokens spell', where=where)
    at = _code_points(data)
    return text, [_without_space(text, at[start], at[end]) for start, end in edges]


def _decoded(data: bytearray, where: str) -> str:
    """The text of the tokens' bytes; a last character that was cut at 512 tokens becomes U+FFFD."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return data.decode("utf-8", errors="replace")
        raise FormatError(
            "the tokens spell no valid UTF-8; they are not roberta-base's", where=where
        ) from error


def _without_space(text: str, start: int, end: int) -> Unit:
    while start < end and text[start] == " ":
        start += 1
    return start, end


def _code_points(data: bytes | bytearray) -> list[int]:
    """For each byte position the number of code points that begin before it."""
    at, n = [0], 0
    for byte in data:
        n += (byte & 0xC0) != 0x80
        at.append(n)
    return at


def _byte_alphabet() -> dict[str, int]:
    """Byte-level BPE's printable stand-in for each byte, turned round."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    chars = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    return chars | {chr(256 + index): byte for index, byte in enumerate(others)}


_BYTE_OF: Final = _byte_alphabet()
