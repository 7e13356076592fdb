"""Model cards as pages, what the site adds to those of its own models, and models as archives that
any Hugging Face program loads.

A card is a file of the model's folder, which anybody may have written: it is cut into plain pieces,
and pages escape each of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.datasets.archives import zip_stream
from annotator.datasets.filters import SnapshotFilter
from annotator.learning.evaluation.comparison import compare_evaluations
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, TrainingRun
from annotator.learning.tagging.checkpoints import inspect_model, verify_model
from ner_engine.registry.cards import table as card_table

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor

CARD: Final = "README.md"
_MAX_CHARACTERS: Final = 200_000
#: What belongs to a model: nothing else of a folder is given away.
_FILES: Final = (
    *(
        "config.json",
        "model.safetensors.index.json",
        "merges.txt",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ),
    *("vocab.json", "vocab.txt", CARD, "LICENSE"),
)
_UNPACK_SECONDS: Final = 300


# Cards


class Piece(NamedTuple):
    """A piece of a line: ``kind`` is "text", "code" or "strong"."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a card. ``kind``: "heading" of a ``level`` 1-6, "text", "code", "list" (an item a
    row) or "table" (the first row is its head)."""

    kind: str
    rows: Sequence[Sequence[Sequence[Piece]]]
    level: int = 0

    @property
    def pieces(self) -> Sequence[Piece]:
        return self.rows[0][0]


_INLINE: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"(#{1,6})\s+(.*)")
_FRONT: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FENCE: Final = "```"


def card_of(model: ModelVersion) -> list[Block]:
    """The card that lies in the model's folder; none where there is no such file. Raises
    ``EngineError`` where the model is gone."""
    path = inspect_model(model.path).folder / CARD
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as stream:
        return blocks_of(stream.read(_MAX_CHARACTERS))


def blocks_of(markdown: str) -> list[Block]:
    """The blocks of a text in the Markdown of model cards. What it does not know stays as it was
    written."""
    blocks: list[Block] = []
    fenced: list[str] | None = None
    paragraph: list[str] = []
    for line in [*_FRONT.sub("", markdown.replace("\r\n", "\n")).split("\n"), ""]:
        if line.startswith(_FENCE):
            blocks += _paragraph(paragraph)
            paragraph = []
            if fenced is not None:
                blocks.append(_code(fenced))
            fenced = [] if fenced is None else None
        elif fenced is not None:
            fenced.append(line)
        elif not line.strip() or (heading := _HEADING.fullmatch(line)):
            blocks += _paragraph(paragraph)
            paragraph = []
            if line.strip() and heading:
                blocks.append(Block("heading", [[_pieces(heading[2])]], len(heading[1])))
        else:
            paragraph.append(line)
    if fenced is not None:
        blocks.append(_code(fenced))
    return blocks


def _code(lines: Sequence[str]) -> Block:
    return Block("code", [[[Piece("code", "\n".join(lines))]]])


def _paragraph(lines: Sequence[str]) -> Iterator[Block]:
    """Lines that follow each other: of text, of a list, of a table."""
    for kind, group in groupby(lines, _kind):
        if kind == "table":
            rows = [
                [_pieces(cell.strip()) for cell in line.strip().strip("|").split("|")]
                for line in group
                if set(line) - set("|-: ")
            ]
            yield Block(kind, rows)
        elif kind == "list":
            yield Block(kind, [[_pieces(line.strip()[2:])] for line in group])
        else:
            yield Block(kind, [[_pieces(" ".join(line.strip() for line in group))]])


def _kind(line: str) -> str:
    return (
        "table"
        if line.lstrip().startswith("|")
        else "list"
        if line.lstrip().startswith(("- ", "* "))
        else "text"
    )


def _pieces(text: str) -> list[Piece]:
    """A line without its marks; a link is its words and, in brackets, where it leads: nobody is led
    there by a click."""
    pieces, end = [], 0
    for found in _INLINE.finditer(text):
        code, strong, words, address = found.groups()
        pieces.append(Piece("text", text[end : found.start()]))
        pieces.append(
            Piece("code", code)
            if code
            else Piece("strong", strong)
            if strong
            else Piece("text", f"{words} ({address})")
        )
        end = found.end()
    return [piece for piece in (*pieces, Piece("text", text[end:])) if piece.text]


# What the site knows of a model that it trained


def with_provenance(
    card: str, run: TrainingRun, judged: Evaluation, current: Evaluation | None
) -> str:
    """The card that the engine wrote of the run's candidate, with the snapshot it learned from and
    how it was judged; before its licence, the end.

    Curators are counted, not named: a card may be given away.
    """
    head, mark, licence = card.replace(
        f"# {run.recipe}\n", f"# {run.candidate_name}\n", 1
    ).partition("\n## Licence\n")
    return (
        f"{head}\n## Where it comes from\n\n{_origin(run)}\n\n## Judged before"
        f" service\n\n{_judged(run, judged, current)}\n{mark}{licence}"
    )


def _origin(run: TrainingRun) -> str:
    snapshot = run.snapshot
    asked = SnapshotFilter.from_json(snapshot.filters)
    phrases = replace(asked, curators=()).in_words() + (
        [f"accepted by any of {len(asked.curators)} chosen curators"] if asked.curators else []
    )
    n_spans, n_swept = (
        sum(sum(side.get(name, {}).values()) for side in snapshot.counts.values())
        for name in ("labels", "swept")
    )
    facts = [
        ("project", run.project.name),
        (
            "snapshot",
            (
                f"{snapshot.number}, frozen {snapshot.created_at:%Y-%m-%d}, SHA-256"
                f" `{snapshot.content_hash}`"
            ),
        ),
        ("legends", "; ".join(phrases) or "all that were accepted"),
        ("guideline", snapshot.report.get("guideline") or "none"),
        ("split by paper", snapshot.split_rule),
        (
            "suggested by a model and accepted with the whole legend, not one by one",
            f"{n_swept:,} of {n_spans:,} entities",
        ),
        ("trained from", f"{run.base.name}, SHA-256 `{run.base.weights_sha256}`"),
    ]
    sides = [
        (side, *(f"{of[name]:,}" for name in ("papers", "panels", "spans")))
        for side, of in snapshot.counts.items()
    ]
    listed = "\n".join(f"- **{what}**: {' '.join(which.split())}" for what, which in facts)
    return f"{listed}\n\n{card_table(('side', 'papers', 'panels', 'entities'), sides)}"


def _judged(run: TrainingRun, judged: Evaluation, current: Evaluation | None) -> str:
    other = current.model_version if current else None
    found = compare_evaluations(judged, current, other)
    rows = [
        (
            row.name,
            *_figures(row.candidate),
            row.support or "",
            *((_figures(row.current)[2], _signed(row.difference)) if other else ()),
        )
        for row in (*found.labels, *found.averages)
    ]
    head = (
        "label",
        "P",
        "R",
        "F1",
        "support",
        *((f"F1 of {other.name}", "difference of F1, points") if other else ()),
    )
    beside = (
        f" Beside it {other.name}, the model in service at that time, on the same texts."
        if other
        else " No model was in service."
    )
    return (
        "Strict character spans on the held-out papers of snapshot"
        f" {run.snapshot.number}.{beside}\n\n{card_table(head, rows)}"
    )


def _figures(scores: Mapping[str, float] | None) -> tuple[str, str, str]:
    return (
        (f"{scores['precision']:.4f}", f"{scores['recall']:.4f}", f"{scores['f1']:.4f}")
        if scores
        else ("", "", "")
    )


def _signed(points: float | None) -> str:
    return "" if points is None else f"{points:+.1f}"


# Archives


def archive_name(model: ModelVersion) -> str:
    """What the archive's one folder is called, and with .zip the archive."""
    return re.sub(r"[^\w.-]+", "-", model.name).strip(".-") or f"model-{model.pk}"


def model_archive(*, model: ModelVersion, actor: Actor) -> Iterator[bytes]:
    """The model as a zip, packed weights unpacked, so that ``transformers`` loads it as it is; made
    while it is sent.

    Raises ``PermissionDenied`` for somebody who may not export from the model's project;
    ``UserError`` where its files were changed, or are a hub's to give; ``EngineError`` where they
    are gone.
    """
    if model.project is not None:
        require(actor, model.project, Action.EXPORT)
    if model.origin == ModelOrigin.HUB:
        raise UserError(
            f"{model} comes from a hub. Fetch it there: `hf download {model.location}`."
        )
    facts = verify_model(model)
    return _unpacked(model, facts.folder) if facts.is_packed else _zip(model, facts.folder)


def names_in(folder: Path) -> list[str]:
    """The files of a folder that belong to a model."""
    weights = [path.name for path in folder.glob("*.safetensors")]
    return sorted({*weights, *(name for name in _FILES if (folder / name).is_file())})


@contextmanager
def loadable_folder(model: ModelVersion) -> Iterator[Path]:
    """The model's folder as other programs load it: its own, or where its weights are packed one
    with them unpacked, which goes afterwards.

    Raises ``UserError`` where its files were changed or there is no room to unpack them,
    ``EngineError`` where they are gone.
    """
    facts = verify_model(model)
    if not facts.is_packed:
        yield facts.folder
        return
    with TemporaryDirectory() as room:
        yield _unpack(model, facts.folder, Path(room) / "model")


def _zip(model: ModelVersion, folder: Path) -> Iterator[bytes]:
    return zip_stream(folder, names_in(folder), top=archive_name(model), when=model.created_at)


def _unpacked(model: ModelVersion, folder: Path) -> Iterator[bytes]:
    room = TemporaryDirectory()
    try:
        out = _unpack(model, folder, Path(room.name) / "model")
    except UserError:
        room.cleanup()
        raise
    return _from(room, _zip(model, out))


def _unpack(model: ModelVersion, folder: Path, out: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "ner_engine",
        "unpack",
        "--model",
        str(folder),
        "--out",
        str(out),
    ]  # torch stays out of the web process
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_UNPACK_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise UserError(
            f"{model} could not be unpacked. Try again when there is room on the disk."
        ) from error
    return out


def _from(room: TemporaryDirectory[str], pieces: Iterator[bytes]) -> Iterator[bytes]:
    with room:
        yield from pieces
