"""Pictures among the files of an import: each is put beside the legend that it belongs to, which is
found by names.

A legend that has a picture keeps it, so the same import run again changes nothing, and boxes drawn
on a picture stay true.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.db import transaction

from annotator.common.errors import UserError
from annotator.corpus.figures import put_picture
from annotator.corpus.models import Document, FigureImage, Project
from annotator.corpus.pictures import SUFFIXES, is_picture_name, read_picture
from ner_engine.errors import UnreadableError
from ner_engine.formats import Report, Source, open_inputs

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor
    from annotator.jobs.runs import JobRun

#: Names of pictures without a legend that are kept; further ones are counted.
MAX_NAMES: Final = 200
#: What else a legend's file may say that its picture ends with.
_OTHER_SUFFIXES: Final = (".eps", ".svg", ".pdf", ".ai", ".ps")


@dataclass(frozen=True, slots=True)
class Contents:
    """How many files an input holds, and how many of them are pictures."""

    n_files: int
    n_pictures: int

    @classmethod
    def of(cls, path: Path, name: str) -> Contents:
        names = [source.name for source in open_inputs([path], Report(), names={path: name})]
        return cls(len(names), sum(map(is_picture_name, names)))

    @property
    def is_pictures_alone(self) -> bool:
        return 0 < self.n_files == self.n_pictures


@dataclass(frozen=True, slots=True)
class _Legend:
    pk: int
    paper: str
    key: tuple[str, str]


class LegendNames:
    """The names by which a project's legends can be found from a picture's path; ``matches`` is the
    way to ask."""

    def __init__(self, project: Project) -> None:
        self._tiers: tuple[dict[str, set[int]], ...] = ({}, {}, {}, {})
        self._legends: dict[int, _Legend] = {}
        rows = project.documents.order_by().values_list(
            "pk", "doi", "external_id", "figure_label", "image"
        )
        for pk, doi, external_id, label, image in rows.iterator(chunk_size=2000):
            self._legends[pk] = _Legend(pk, fold(doi), (doi, external_id))
            names = (
                stem_of(image),
                fold(external_id),
                fold(doi) + fold(label) if doi else "",
                fold(label),
            )
            for tier, name in zip(self._tiers, names, strict=True):
                if name:
                    tier.setdefault(name, set()).add(pk)
        self._is_one_paper = len({legend.paper for legend in self._legends.values()}) == 1
        self._by_key = {legend.key: legend.pk for legend in self._legends.values()}

    def of_keys(self, keys: Iterable[tuple[str, str]]) -> set[int]:
        """The legends with these pairs of DOI and id."""
        return {self._by_key[key] for key in keys if key in self._by_key}

    def matches(self, path: str, near: Set[int]) -> tuple[int, set[int]]:
        """The legends that a picture at ``path`` may belong to, and how good the reason is (0 is
        best).

        Reasons, the best first: the legend names the picture; the path ends with the legend's id;
        with its DOI and label; with its label alone, which counts where legend and picture came
        together (``near``) or the project has one paper only. Of several legends those that are
        near are meant, then those whose DOI the path names.
        """
        parts = [*PurePosixPath(path.replace("\\", "/")).parts]
        parts[-1] = without_suffix(parts[-1])
        parts[0] = re.sub(r"\.zip$", "", parts[0], flags=re.IGNORECASE)
        tails = [fold("".join(parts[-count:])) for count in range(1, len(parts) + 1)]
        asked = ([parts[-1].casefold()], tails, tails, tails[:1])
        for reason, (tier, names) in enumerate(zip(self._tiers, asked, strict=True)):
            found = set().union(*(tier.get(name, set()) for name in names))
            if tier is self._tiers[-1] and not self._is_one_paper:
                found &= near
            if found:
                return reason, self._narrowed(found, near, tails[-1])
        return len(self._tiers), set()

    def _narrowed(self, found: set[int], near: Set[int], folded_path: str) -> set[int]:
        if len(found) > 1:
            found = (found & near) or found
        if len(found) > 1:
            found = {
                pk for pk in found if (paper := self._legends[pk].paper) and paper in folded_path
            } or found
        return found


def fold(name: str) -> str:
    """Letters and digits alone, in one case; "Figure 1" and "fig_1" are the same."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold()).replace(
        "figure", "fig"
    )


def without_suffix(name: str) -> str:
    """A file's name without the ending of a picture; "pone.0012345.g001" has none."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in (*SUFFIXES, *_OTHER_SUFFIXES) else path.name


def stem_of(image: str) -> str:
    """Return the last part of a picture's path or address, without its suffix."""
    try:
        path = urlsplit(image).path if "://" in image else image
    except ValueError:
        return ""
    return without_suffix(path.replace("\\", "/").rstrip("/")).casefold()


@dataclass
class PictureImport:
    """Puts pictures beside legends. ``counts``: images, images_already_there,
    images_without_legend; ``unmatched``: names of the last."""

    project: Project
    actor: Actor
    run: JobRun | None
    on_problem: Callable[[str, str], None]
    counts: Counter[str] = field(default_factory=Counter)
    unmatched: list[str] = field(default_factory=list)

    def take(
        self, inputs: Collection[tuple[Path, str]], keys: Mapping[Path, Set[tuple[str, str]]]
    ) -> None:
        """Take the pictures in each input (path, name). ``keys`` are DOI and id of the legends that
        came with an input."""
        names = LegendNames(self.project) if inputs else None
        for path, name in inputs:
            assert names is not None
            chosen = self._chosen(path, name, names, names.of_keys(keys.get(path, ())))
            for source in open_inputs([path], Report(), names={path: name}):
                document_id = chosen.pop(source.name, None)
                if document_id is not None:
                    self._progress(len(chosen))
                    self._put(source, document_id)

    def _chosen(self, path: Path, name: str, names: LegendNames, near: Set[int]) -> dict[str, int]:
        """The picture to take for each legend without one, as legends by the pictures' names."""
        pictured = set(
            FigureImage.objects.filter(document__project=self.project)
            .exclude(file="")
            .values_list("document_id", flat=True)
        )
        best: dict[int, tuple[tuple[int, int], str]] = {}
        for source_name in _pictures_in(path, name):
            reason, found = names.matches(source_name, near)
            if len(found) != 1:
                self._note_unmatched(source_name, len(found))
                continue
            (document_id,) = found
            rank = (reason, SUFFIXES.index(PurePosixPath(source_name).suffix.lower()))
            if document_id in pictured or document_id in best:
                self.counts["images_already_there"] += 1
            if document_id not in pictured and (
                document_id not in best or rank < best[document_id][0]
            ):
                best[document_id] = rank, source_name
        return {source_name: document_id for document_id, (_, source_name) in best.items()}

    def _note_unmatched(self, name: str, n_found: int) -> None:
        if n_found:
            self.on_problem(
                name,
                f"{n_found:,} legends may be meant by it; put it into a folder that is named by the"
                " paper's DOI",
            )
            return
        self.counts["images_without_legend"] += 1
        if len(self.unmatched) < MAX_NAMES:
            self.unmatched.append(name[:200])

    def _put(self, source: Source, document_id: int) -> None:
        try:
            with source.open() as stream:
                picture = read_picture(stream)
        except UserError as error:
            self.on_problem(source.name, str(error))
            return
        except UnreadableError as error:
            self.on_problem(error.where, error.message)
            return
        with transaction.atomic():
            if self.run is not None:
                self.run.hold()
            document = Document.objects.filter(pk=document_id).select_related("project").first()
            if document is None:
                return  # removed since
            stored = put_picture(
                document=document, picture=picture, actor=self.actor, replaces=False
            )
        self.counts["images" if stored else "images_already_there"] += 1

    def _progress(self, n_left: int) -> None:
        if self.run is not None:
            self.run.check()
            done = self.counts["images"]
            self.run.report(
                done=done,
                total=done + n_left + 1,
                message=f"Images put beside their legends: {done:,}",
            )


def _pictures_in(path: Path, name: str) -> Iterator[str]:
    return (
        source.name
        for source in open_inputs([path], Report(), names={path: name})
        if is_picture_name(source.name)
    )
