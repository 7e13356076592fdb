"""Images among the files of an import: each is attached to the legend that its name points to.

A legend that already has an image keeps it. So a repeated import changes nothing, and boxes stay
valid.
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

#: The number of names of images without a legend that are kept; further ones are only counted.
MAX_NAMES: Final = 200
#: Suffixes of figure files that cannot be shown, but that legends refer to.
_OTHER_SUFFIXES: Final = (".eps", ".svg", ".pdf", ".ai", ".ps")


@dataclass(frozen=True, slots=True)
class Contents:
    """The number of files in an input, and how many of them are images."""

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
    """The names of a project's legends, to find them by the path of an image (``matches``)."""

    def __init__(self, project: Project) -> None:
        #: Legends by name: one table for each reason to match, the best first.
        self._tiers: tuple[dict[str, set[int]], ...] = ({}, {}, {}, {})
        self._legends: dict[int, _Legend] = {}
        rows = project.documents.order_by().values_list(
            "pk", "doi", "external_id", "figure_label", "image"
        )
        for pk, doi, external_id, label, image in rows.iterator(chunk_size=2000):
            self._legends[pk] = _Legend(pk, fold(doi), (doi, external_id))
            doi_and_label = fold(doi) + fold(label) if doi else ""
            names = (stem_of(image), fold(external_id), doi_and_label, fold(label))
            for tier, name in zip(self._tiers, names, strict=True):
                if name:
                    tier.setdefault(name, set()).add(pk)
        legends = self._legends.values()
        self._is_one_paper = len({legend.paper for legend in legends}) == 1
        self._by_key = {legend.key: legend.pk for legend in legends}

    def of_keys(self, keys: Iterable[tuple[str, str]]) -> set[int]:
        """Return the legends with these pairs of DOI and id."""
        return {self._by_key[key] for key in keys if key in self._by_key}

    def matches(self, path: str, near: Set[int]) -> tuple[int, set[int]]:
        """Return the rank of the match (0 is best) and the legends that an image may belong to.

        In order of rank: the legend names the image; the path ends with the legend's id; with its
        DOI and label; or with its label alone. The last counts only for legends from the same
        input as the image (``near``), or if the project has one paper. Of several legends, near
        ones are preferred, then those whose DOI is in the path.
        """
        parts = [*PurePosixPath(path.replace("\\", "/")).parts]
        parts[-1] = without_suffix(parts[-1])
        parts[0] = re.sub(r"\.zip$", "", parts[0], flags=re.IGNORECASE)
        tails = [fold("".join(parts[-count:])) for count in range(1, len(parts) + 1)]
        wanted = ([parts[-1].casefold()], tails, tails, tails[:1])
        for rank, (tier, names) in enumerate(zip(self._tiers, wanted, strict=True)):
            legends: set[int] = set()
            for name in names:
                legends |= tier.get(name, set())
            if tier is self._tiers[-1] and not self._is_one_paper:
                legends &= near
            if legends:
                return rank, self._narrowed(legends, near, tails[-1])
        return len(self._tiers), set()

    def _narrowed(self, legends: set[int], near: Set[int], folded_path: str) -> set[int]:
        if len(legends) > 1:
            legends = (legends & near) or legends
        if len(legends) > 1:
            legends = self._of_paper_in(folded_path, legends) or legends
        return legends

    def _of_paper_in(self, folded_path: str, legends: set[int]) -> set[int]:
        """Return the legends whose paper's DOI is in the path."""
        named = set()
        for pk in legends:
            paper = self._legends[pk].paper
            if paper and paper in folded_path:
                named.add(pk)
        return named


def fold(name: str) -> str:
    """Return only the letters and digits, case-folded; "Figure 1" and "fig_1" become the same."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "", folded).replace("figure", "fig")


def without_suffix(name: str) -> str:
    """Return a file's name without the suffix of an image; "pone.0012345.g001" has none."""
    path = PurePosixPath(name)
    if path.suffix.lower() in (*SUFFIXES, *_OTHER_SUFFIXES):
        return path.stem
    return path.name


def stem_of(image: str) -> str:
    """Return the last part of an image's path or address, without its suffix."""
    if "://" in image:
        try:
            image = urlsplit(image).path
        except ValueError:
            return ""
    return without_suffix(image.replace("\\", "/").rstrip("/")).casefold()


@dataclass
class PictureImport:
    """Attaches images to legends.

    ``counts`` has images, images_already_there and images_without_legend; ``unmatched`` are the
    names of the last.
    """

    project: Project
    actor: Actor
    run: JobRun | None
    on_problem: Callable[[str, str], None]
    counts: Counter[str] = field(default_factory=Counter)
    unmatched: list[str] = field(default_factory=list)

    def take(
        self, inputs: Collection[tuple[Path, str]], keys: Mapping[Path, Set[tuple[str, str]]]
    ) -> None:
        """Attach the images in each input (path, name).

        ``keys`` are DOI and id of the legends in each input.
        """
        if not inputs:
            return
        names = LegendNames(self.project)
        for path, name in inputs:
            chosen = self._chosen(path, name, names, names.of_keys(keys.get(path, ())))
            for source in open_inputs([path], Report(), names={path: name}):
                document_id = chosen.pop(source.name, None)
                if document_id is not None:
                    self._progress(len(chosen))
                    self._put(source, document_id)

    def _chosen(self, path: Path, name: str, names: LegendNames, near: Set[int]) -> dict[str, int]:
        """Return the legends without an image by the name of the best image for each."""
        pictured = set(
            FigureImage.objects.filter(document__project=self.project)
            .exclude(file="")
            .values_list("document_id", flat=True)
        )
        best: dict[int, tuple[tuple[int, int], str]] = {}
        for source_name in _pictures_in(path, name):
            match, legends = names.matches(source_name, near)
            if len(legends) != 1:
                self._note_unmatched(source_name, len(legends))
                continue
            (document_id,) = legends
            if document_id in pictured or document_id in best:
                self.counts["images_already_there"] += 1
            if document_id in pictured:
                continue
            rank = (match, SUFFIXES.index(PurePosixPath(source_name).suffix.lower()))
            if document_id not in best or rank < best[document_id][0]:
                best[document_id] = rank, source_name
        return {source_name: document_id for document_id, (_, source_name) in best.items()}

    def _note_unmatched(self, name: str, n_matches: int) -> None:
        if n_matches:
            self.on_problem(
                name,
                f"its name fits {n_matches:,} legends; put it into a folder named after the"
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
            if document is None:  # somebody removed the legend after its name was read
                return
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
                message=f"Images attached to their legends: {done:,}",
            )


def _pictures_in(path: Path, name: str) -> Iterator[str]:
    for source in open_inputs([path], Report(), names={path: name}):
        if is_picture_name(source.name):
            yield source.name
