"""The figure of a legend: its image, and the boxes that show where each panel lies in it."""

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
from annotator.corpus.holding import claim
from annotator.corpus.models import Document, FigureImage, LayerKind, Project
from annotator.corpus.pictures import MEDIA_TYPE, Picture, read_picture
from ner_engine.panel_letters import last_letter, printed_letters

if TYPE_CHECKING:
    from ner_engine import schema

log = structlog.get_logger(__name__)

Box = dict[str, Any]
_BOX_FIELDS: Final = ("x", "y", "width", "height")

FOLDER: Final = "figures"
#: The least width and height of a box, as fractions of the image. Smaller ones are drawn by
#: accident.
MIN_SIDE: Final = 0.005
#: Rounding may take a box so far beyond the border of the image; it is cut off at the border.
_SLACK: Final = 0.001
#: A younger file may belong to a transaction that has not ended.
_FORGOTTEN_AFTER: Final = timedelta(hours=1)


class StaleBoxesError(UserError):
    """Somebody else changed the boxes after they were read."""


@dataclass(frozen=True, slots=True)
class PanelPlace:
    """A panel of the legend: where its text begins, its letter, and its box in the image.

    ``box`` is None if nobody has drawn it. ``is_gone`` marks the box of a panel that a curator
    removed.
    """

    start: int
    letter: str
    box: Mapping[str, float] | None = None
    is_gone: bool = False

    @property
    def percent(self) -> dict[str, str]:
        """The box in percent of the image, for SVG attributes and form fields."""
        box = self.box or {}
        percent = {}
        for name in _BOX_FIELDS:
            percent[name] = f"{100 * box.get(name, 0):.2f}".rstrip("0").rstrip(".")
        return percent


def store_figure(*, document: Document, file: IO[bytes], actor: Actor) -> FigureImage:
    """Store the uploaded image as the legend's figure, in place of the old one; boxes stay.

    Raise ``PermissionDenied``, or ``UserError`` if the file cannot be used.
    """
    require(actor, document.project, Action.IMPORT)
    picture = read_picture(file)
    put_picture(document=document, picture=picture, actor=actor)
    return FigureImage.objects.get(document=document)


def put_picture(
    *, document: Document, picture: Picture, actor: Actor, replaces: bool = True
) -> bool:
    """Store a decoded picture as the legend's figure; return whether it was stored.

    Unless it ``replaces``, a picture that is already there stays. Raise ``PermissionDenied``.
    """
    require(actor, document.project, Action.IMPORT)
    with transaction.atomic():
        _lock(document.project_id)
        figure = _locked_figure(document)
        before = figure.file.name or ""
        if before and not replaces:
            return False
        figure.file.name = _keep(picture, document.project_id)
        figure.media_type = MEDIA_TYPE
        figure.width = picture.width
        figure.height = picture.height
        figure.sha256 = picture.sha256
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
    """Remove the legend's image; boxes stay for the next one.

    Raise ``PermissionDenied``, or ``UserError`` if there is no image.
    """
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
            raise UserError("This legend has no image to remove.")
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
    """Save the box of the panel that begins at ``panel``, in place of its old one.

    ``box`` holds x, y, width and height as fractions of the image. Raise ``PermissionDenied``,
    ``HeldError`` (another user works on the legend), ``StaleBoxesError``, or ``UserError`` if the
    panel or the box is not valid.
    """
    require(actor, document.project, Action.REVIEW)
    if panel not in {each.start for each in _panels(document)}:
        raise UserError("No panel begins there. Choose one of the legend's panels.")
    clean = {"panel": panel, **clean_box(box)}
    return _change_boxes(
        document, lambda boxes: [*_without(boxes, panel), clean], base_revision, actor
    )


def remove_box(*, document: Document, panel: int, base_revision: int, actor: Actor) -> FigureImage:
    """Remove the box of the panel.

    Raise ``PermissionDenied``, ``HeldError``, ``StaleBoxesError``, or ``UserError`` if it has no
    box.
    """
    require(actor, document.project, Action.REVIEW)

    def removed(boxes: list[Box]) -> list[Box]:
        left = _without(boxes, panel)
        if len(left) == len(boxes):
            raise UserError("This panel has no box to remove.")
        return left

    return _change_boxes(document, removed, base_revision, actor)


def clean_box(box: Mapping[str, Any]) -> dict[str, float]:
    """Return x, y, width and height as rounded fractions that lie inside the image.

    Raise ``UserError`` if they are not numbers, or if the box is too small or outside the image.
    """
    x, y, width, height = (_fraction(box.get(name)) for name in _BOX_FIELDS)
    if x < 0 or y < 0 or x + width > 1 + _SLACK or y + height > 1 + _SLACK:
        raise UserError("The box reaches beyond the image. Keep it between 0 and 100 percent.")
    width, height = round(min(width, 1 - x), 5), round(min(height, 1 - y), 5)
    if min(width, height) < MIN_SIDE:
        raise UserError(
            f"The box is too small. Make it at least {MIN_SIDE:.1%} of the image wide and high."
        )
    return {"x": x, "y": y, "width": width, "height": height}


def _fraction(value: object) -> float:
    """Return a finite number, rounded. Raise ``UserError`` for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return round(float(value), 5)
    raise UserError(
        "A box needs four numbers: its left and upper border, its width and its height."
    )


def _without(boxes: Iterable[Box], panel: int) -> list[Box]:
    return [box for box in boxes if box["panel"] != panel]


def external_address(image: str) -> str:
    """Return ``image`` if it is an https address of a host in SD_IMAGE_HOSTS, or "".

    The browser fetches the address, never the server.
    """
    try:
        parts = urlsplit(image)
        is_plain = parts.scheme == "https" and parts.port is None and "@" not in parts.netloc
    except ValueError:
        return ""
    is_listed = (parts.hostname or "") in settings.IMAGE_HOSTS
    if is_plain and is_listed and not re.search(r"[\s\\]", image):
        return image
    return ""


def places_of(document: Document, figure: FigureImage | None) -> list[PanelPlace]:
    """Return the panels with their boxes.

    Boxes of panels that a curator removed come last, without a letter.
    """
    boxes: dict[int, Box] = {}
    if figure is not None:
        boxes = {box["panel"]: box for box in figure.boxes}
    panels = _panels(document)
    letters = panel_letters(document.text, panels)
    places = []
    for panel, letter in zip(panels, letters, strict=True):
        places.append(PanelPlace(panel.start, letter, boxes.pop(panel.start, None)))
    for start, box in boxes.items():
        places.append(PanelPlace(start, "?", box, is_gone=True))
    return places


def panel_letters(text: str, panels: Sequence[schema.Segment]) -> list[str]:
    """Return the letter of each panel, as the review screen shows it, or "no. 3" if it has none.

    The letter comes from a curator, from the file, or from the beginning of the panel's text.
    """
    letters: list[str] = []
    before: str | None = ""
    for index, panel in enumerate(panels):
        letter = panel.marker or printed_letters(text, panel.start, before)
        before = last_letter(letter)
        letters.append(letter or f"no. {index + 1}")
    return letters


def figure_context(document: Document, allowed: Collection[str]) -> dict[str, Any]:
    """Return the context of ``corpus/_figure.html``; this takes at most four queries."""
    figure = FigureImage.objects.filter(document=document).first()
    stored = _stored_address(document, figure)
    external = "" if stored else external_address(document.image)
    places = places_of(document, figure) if stored or external else []
    panels = [place for place in places if not place.is_gone]
    without_box = [panel for panel in panels if not panel.box]
    return {
        "figure": figure,
        "figure_name": (document.figure_label or "Figure").rstrip(". "),
        "figure_src": external or stored,
        "figure_is_external": bool(external),
        "figure_is_shown": bool(external or stored),
        "figure_revision": figure.revision if figure is not None else 0,
        "figure_panels": panels,
        "figure_boxes": [place for place in places if place.box],
        "figure_next": without_box[0].start if without_box else None,
        "figure_letters": json.dumps({place.start: place.letter for place in panels}),
        "may_add_figure": Action.IMPORT in allowed,
        "may_draw_boxes": Action.REVIEW in allowed,
    }


def _stored_address(document: Document, figure: FigureImage | None) -> str:
    """Return the address of the stored image, or "".

    It contains the hash of the image, so that browsers may cache it.
    """
    if figure is None or not figure.file:
        return ""
    address = reverse("corpus:figure_image", args=[document.project.slug, document.pk])
    return f"{address}?v={figure.sha256[:16]}"


def remove_forgotten_pictures() -> int:
    """Remove stored images without a legend, such as those of a deleted project.

    Return the number of removed files.
    """
    if not default_storage.exists(FOLDER):
        return 0
    n_removed = 0
    for folder in default_storage.listdir(FOLDER)[0]:
        if folder.isdecimal():
            n_removed += _remove_forgotten_of(int(folder))
    return n_removed


def _remove_forgotten_of(project_id: int) -> int:
    with transaction.atomic():
        _lock(project_id)
        used = set(
            FigureImage.objects.filter(document__project=project_id).values_list("file", flat=True)
        )
        old = timezone.now() - _FORGOTTEN_AFTER
        n_removed = 0
        folder = f"{FOLDER}/{project_id}"
        for file in default_storage.listdir(folder)[1]:
            name = f"{folder}/{file}"
            if name not in used and default_storage.get_modified_time(name) < old:
                default_storage.delete(name)
                n_removed += 1
    return n_removed


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
        claim(document, actor)
        if figure.revision != base_revision:
            raise StaleBoxesError(
                "Somebody changed the boxes while you were drawing. The page now shows their"
                " changes; draw your box again."
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
    """Return the legend's current panels."""
    layers = current_layers(document)
    return panels_of(document, layers.get(LayerKind.DECIDED) or layers.get(LayerKind.IMPORTED))


def _lock(project_id: int) -> None:
    """Let one transaction at a time store and remove files of the project.

    Otherwise one could remove a file that another has just found in the storage.
    """
    Project.objects.select_for_update(no_key=True).filter(pk=project_id).values_list("pk").first()


def _locked_figure(document: Document) -> FigureImage:
    # By id: with ``document=`` the caller's document would cache the row as it is now.
    FigureImage.objects.get_or_create(document_id=document.pk)
    return FigureImage.objects.select_for_update().get(document=document)


def _keep(picture: Picture, project_id: int) -> str:
    """Store the picture if it is not there yet; return its name in the storage."""
    name = f"{FOLDER}/{project_id}/{picture.sha256}.webp"
    if default_storage.exists(name) and default_storage.size(name) == len(picture.data):
        return name
    return default_storage.save(name, ContentFile(picture.data))


def _remove_unused(name: str, project_id: int) -> None:
    with transaction.atomic():
        _lock(project_id)
        if name and not FigureImage.objects.filter(file=name).exists():
            default_storage.delete(name)
