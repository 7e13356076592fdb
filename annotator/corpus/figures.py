"""The figure beside the legend: its picture, and the boxes that say where each panel lies in it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.annotations import current_layers, panels_of
from annotator.corpus.models import Document, FigureImage, LayerKind, Project
from annotator.corpus.pictures import MEDIA_TYPE, Picture, read_picture

if TYPE_CHECKING:
    from ner_engine import schema

log = structlog.get_logger(__name__)

Box = dict[str, Any]

FOLDER: Final = "figures"
#: The least width and height of a box, as fractions of the image: what is smaller was a slip of the
#: hand.
MIN_SIDE: Final = 0.005
#: What a box may reach over the edge by rounding; it is cut off there.
_SLACK: Final = 0.001
_FORGOTTEN_AFTER: Final = timedelta(hours=1)
_LETTER: Final = re.compile(r"\W{0,2}([A-Za-z])(?:\W{0,3}(?:[-–—,&]|and\b)\W{0,3}([A-Za-z]))*\b")


class StaleBoxesError(UserError):
    """The boxes were changed since they were read."""


@dataclass(frozen=True, slots=True)
class PanelPlace:
    """A panel of the legend, where it begins and its letter; ``box`` is where it lies in the image,
    if somebody said so."""

    start: int
    letter: str
    box: Mapping[str, float] | None = None
    is_gone: bool = False

    @property
    def percent(self) -> dict[str, str]:
        """The box in percent of the image, as SVG attributes and form fields have it."""
        return {
            name: f"{100 * (self.box or {}).get(name, 0):.2f}".rstrip("0").rstrip(".")
            for name in ("x", "y", "width", "height")
        }


def store_figure(*, document: Document, file: IO[bytes], actor: Actor) -> FigureImage:
    """Put the picture in the file beside the legend, instead of the one there was; boxes stay.
    Raises ``PermissionDenied``, ``UserError``."""
    require(actor, document.project, Action.IMPORT)
    picture = read_picture(file)
    put_picture(document=document, picture=picture, actor=actor)
    return FigureImage.objects.get(document=document)


def put_picture(
    *, document: Document, picture: Picture, actor: Actor, replaces: bool = True
) -> bool:
    """As ``store_figure`` with a picture that is read already; whether it was put there, which
    another one may prevent unless it ``replaces``."""
    require(actor, document.project, Action.IMPORT)
    with transaction.atomic():
        _lock(document.project_id)
        figure = _locked_figure(document)
        before = figure.file.name or ""
        if before and not replaces:
            return False
        figure.file.name = _keep(picture, document.project_id)
        figure.media_type, figure.width, figure.height, figure.sha256 = (
            MEDIA_TYPE,
            picture.width,
            picture.height,
            picture.sha256,
        )
        figure.added_by = user_of(actor)
        figure.save()
        transaction.on_commit(lambda: _remove_unused(before, document.project_id))
    log.info(
        "figure_stored",
        document=document.pk,
        bytes=len(picture.data),
        actor=log_name(actor),
    )
    return True


def remove_figure(*, document: Document, actor: Actor) -> None:
    """Take the picture away; boxes stay for the next one. Raises ``PermissionDenied``,
    ``UserError`` where there is none."""
    require(actor, document.project, Action.IMPORT)
    with transaction.atomic():
        _lock(document.project_id)
        figure = (
            FigureImage.objects.select_for_update()
            .filter(document=document)
            .exclude(file="")
            .first()
        )
        if figure is None:
            raise UserError("This legend has no image that could be removed.")
        before = figure.file.name or ""
        if figure.boxes:
            FigureImage.objects.filter(pk=figure.pk).update(
                file="", media_type="", width=0, height=0, sha256=""
            )
        else:
            figure.delete()
        transaction.on_commit(lambda: _remove_unused(before, document.project_id))
    log.info("figure_removed", document=document.pk, actor=log_name(actor))


def put_box(
    *,
    document: Document,
    panel: int,
    box: Mapping[str, Any],
    base_revision: int,
    actor: Actor,
) -> FigureImage:
    """Say where the panel that begins at ``panel`` lies in the image, instead of what was said
    before.

    ``box``: x, y, width and height as fractions of the image. Raises ``PermissionDenied``,
    ``StaleBoxesError``, ``UserError``.
    """
    require(actor, document.project, Action.REVIEW)
    if panel not in {each.start for each in _panels(document)}:
        raise UserError("No panel begins there. Choose one of the legend's panels.")
    clean = {"panel": panel, **clean_box(box)}
    return _change_boxes(
        document, lambda boxes: [*without(boxes, panel), clean], base_revision, actor
    )


def remove_box(*, document: Document, panel: int, base_revision: int, actor: Actor) -> FigureImage:
    """Forget where the panel lies. Raises ``PermissionDenied``, ``StaleBoxesError``, ``UserError``
    where it has no box."""
    require(actor, document.project, Action.REVIEW)
    return _change_boxes(
        document, lambda boxes: without(boxes, panel, must_be_there=True), base_revision, actor
    )


def clean_box(box: Mapping[str, Any]) -> dict[str, float]:
    """x, y, width and height, each a fraction of the image, rounded, inside the image. Raises
    ``UserError``."""
    numbers = {name: box.get(name) for name in ("x", "y", "width", "height")}
    if not all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in numbers.values()
    ):
        raise UserError(
            "A box needs four numbers: its left and upper edge, its width and its height."
        )
    x, y, width, height = (round(float(value), 5) for value in numbers.values())  # type: ignore[arg-type]
    if x < 0 or y < 0 or x + width > 1 + _SLACK or y + height > 1 + _SLACK:
        raise UserError(
            "The box reaches over the edge of the image. Keep it between 0 and 100 percent."
        )
    width, height = round(min(width, 1 - x), 5), round(min(height, 1 - y), 5)
    if min(width, height) < MIN_SIDE:
        raise UserError(
            f"The box is too small. Make it at least {MIN_SIDE:.1%} of the image wide and high."
        )
    return {"x": x, "y": y, "width": width, "height": height}


def without(boxes: Iterable[Box], panel: int, *, must_be_there: bool = False) -> list[Box]:
    """The boxes but for that of the panel."""
    boxes = list(boxes)
    left = [box for box in boxes if box["panel"] != panel]
    if must_be_there and len(left) == len(boxes):
        raise UserError("This panel has no box that could be removed.")
    return left


def external_address(image: str) -> str:
    """``image`` where it is the https address of a host in SD_IMAGE_HOSTS, else "". The browser
    fetches it, never the server."""
    try:
        parts = urlsplit(image)
        is_plain = parts.scheme == "https" and parts.port is None and "@" not in parts.netloc
    except ValueError:
        return ""
    return (
        image
        if is_plain
        and (parts.hostname or "") in settings.IMAGE_HOSTS
        and not re.search(r"[\s\\]", image)
        else ""
    )


def places_of(document: Document, figure: FigureImage | None) -> list[PanelPlace]:
    """The panels with their boxes; boxes of panels that a curator took away come last, without a
    letter."""
    boxes = {box["panel"]: box for box in figure.boxes} if figure is not None else {}
    panels = _panels(document)
    letters = panel_letters(document.text, panels)
    places = [
        PanelPlace(panel.start, letter, boxes.pop(panel.start, None))
        for panel, letter in zip(panels, letters, strict=True)
    ]
    return places + [PanelPlace(start, "?", box, is_gone=True) for start, box in boxes.items()]


def panel_letters(text: str, panels: Sequence[schema.Segment]) -> list[str]:
    """The letter of each panel as the review screen shows it: from the file, else from its first
    word, else after the one before."""
    letters: list[str] = []
    for index, panel in enumerate(panels):
        letter = panel.marker
        if not letter and (found := _LETTER.match(text, panel.start)):
            first, last = found[1].upper(), (found[2] or found[1]).upper()
            letter = first if last <= first else f"{first}–{last}"
        if not letter:
            before = letters[-1][-1:] if letters else "@"
            letter = chr(ord(before) + 1) if "@" <= before < "Z" else str(index + 1)
        letters.append(letter)
    return letters


def figure_context(document: Document, allowed: Collection[str]) -> dict[str, Any]:
    """Return what ``corpus/_figure.html`` shows of the legend, by at most four queries."""
    figure = FigureImage.objects.filter(document=document).first()
    has_file = figure is not None and bool(figure.file)
    external = "" if has_file else external_address(document.image)
    places = places_of(document, figure) if has_file or external else []
    panels = [place for place in places if not place.is_gone]
    return {
        "figure": figure,
        "figure_name": (document.figure_label or "Figure").rstrip(". "),
        "figure_src": external or _address_of(document, figure),
        "figure_is_external": bool(external),
        "figure_is_shown": has_file or bool(external),
        "figure_revision": figure.revision if figure is not None else 0,
        "figure_panels": panels,
        "figure_boxes": [place for place in places if place.box],
        "figure_next": next((place.start for place in panels if not place.box), None),
        "figure_letters": json.dumps({place.start: place.letter for place in panels}),
        "may_add_figure": Action.IMPORT in allowed,
        "may_draw_boxes": Action.REVIEW in allowed,
    }


def _address_of(document: Document, figure: FigureImage | None) -> str:
    """Return the picture's address; it names the content, so that browsers may cache it."""
    if figure is None or not figure.file:
        return ""
    return f"{reverse('corpus:figure_image', args=[document.project.slug, document.pk])}?v={figure.sha256[:16]}"  # noqa: E501


def remove_forgotten_pictures() -> int:
    """Remove pictures that no legend has any more, as those of a deleted project; how many it
    were."""
    removed = 0
    for folder in default_storage.listdir(FOLDER)[0] if default_storage.exists(FOLDER) else []:
        if folder.isdecimal():
            removed += _remove_forgotten_of(int(folder))
    return removed


def _remove_forgotten_of(project_id: int) -> int:
    with transaction.atomic():
        _lock(project_id)
        used = set(
            FigureImage.objects.filter(document__project=project_id).values_list("file", flat=True)
        )
        names = [
            f"{FOLDER}/{project_id}/{name}"
            for name in default_storage.listdir(f"{FOLDER}/{project_id}")[1]
        ]
        old = timezone.now() - _FORGOTTEN_AFTER
        forgotten = [
            name
            for name in names
            if name not in used and default_storage.get_modified_time(name) < old
        ]
        for name in forgotten:
            default_storage.delete(name)
    return len(forgotten)


def _change_boxes(
    document: Document,
    change: Callable[[list[Box]], list[Box]],
    base_revision: int,
    actor: Actor,
) -> FigureImage:
    with transaction.atomic():
        figure = _locked_figure(document)
        if not figure.file and not external_address(document.image):
            raise UserError("This legend has no image to draw on.")
        if figure.revision != base_revision:
            raise StaleBoxesError(
                "Somebody changed the boxes since you saw them. Here they are as they stand now;"
                " draw yours again."
            )
        figure.boxes = sorted(change(figure.boxes), key=lambda box: box["panel"])
        figure.revision += 1
        figure.save(update_fields=["boxes", "revision"])
    log.info(
        "figure_boxes_changed",
        document=document.pk,
        revision=figure.revision,
        boxes=len(figure.boxes),
        actor=log_name(actor),
    )
    return figure


def _panels(document: Document) -> list[schema.Segment]:
    """The panels as they stand: decided, else imported."""
    layers = current_layers(document)
    return panels_of(document, layers.get(LayerKind.DECIDED) or layers.get(LayerKind.IMPORTED))


def _lock(project_id: int) -> None:
    """Storing and removing files of a project happen one after the other: else one would remove
    what the other just found there."""
    Project.objects.select_for_update(no_key=True).filter(pk=project_id).values_list("pk").first()


def _locked_figure(document: Document) -> FigureImage:
    FigureImage.objects.get_or_create(
        document_id=document.pk
    )  # by id, so that the caller's document keeps no older row
    return FigureImage.objects.select_for_update().get(document=document)


def _keep(picture: Picture, project_id: int) -> str:
    """Store the picture unless it is there already; return its name in the storage."""
    name = f"{FOLDER}/{project_id}/{picture.sha256}.webp"
    if default_storage.exists(name) and default_storage.size(name) == len(picture.data):
        return name
    return default_storage.save(name, ContentFile(picture.data))


def _remove_unused(name: str, project_id: int) -> None:
    with transaction.atomic():
        _lock(project_id)
        if name and not FigureImage.objects.filter(file=name).exists():
            default_storage.delete(name)
