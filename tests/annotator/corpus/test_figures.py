"""The image of a figure: who may store it, and which addresses are shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.config import environment
from annotator.corpus import figures
from annotator.corpus.figures import (
    external_address,
    put_box,
    remove_figure,
    remove_forgotten_pictures,
    store_figure,
)
from annotator.corpus.models import (
    Document,
    FigureImage,
)
from tests.annotator.corpus.images import (
    BLUE,
    BOX,
    files_in_store,
    image_file,
)

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]
Commits = Any


@pytest.mark.parametrize("who", ["viewer", "curator", "stranger"])
def test_only_those_who_may_import_store_pictures(
    who: str, drawn: Document, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    with pytest.raises(PermissionDenied):
        store_figure(document=drawn, file=image_file(colour=BLUE), actor=user)
    assert FigureImage.objects.get().added_by.username == "reviewer"


@pytest.mark.parametrize("who", ["viewer", "curator", "stranger"])
def test_only_those_who_may_import_remove_pictures(
    who: str, drawn: Document, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(PermissionDenied):
        remove_figure(document=drawn, actor=request.getfixturevalue(who))
    assert FigureImage.objects.get().file.name != ""


def test_a_replaced_picture_leaves_the_store(
    drawn: Document, reviewer: User, django_capture_on_commit_callbacks: Commits
) -> None:
    before = files_in_store()
    with django_capture_on_commit_callbacks(execute=True):
        figure = store_figure(
            document=drawn, file=image_file(colour=BLUE, size=(90, 30)), actor=reviewer
        )
    assert len(before) == 1
    assert files_in_store() == [figure.file.name]
    assert files_in_store() != before


def test_the_row_describes_the_new_picture(drawn: Document, reviewer: User) -> None:
    figure = store_figure(document=drawn, file=image_file(size=(90, 30)), actor=reviewer)
    assert figure.width == 90
    assert figure.height == 30
    assert figure.sha256 in figure.file.name


def test_boxes_stay_when_a_picture_is_replaced(
    drawn: Document, starts: list[int], reviewer: User
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=reviewer)
    figure = store_figure(document=drawn, file=image_file(colour=BLUE), actor=reviewer)
    assert figure.boxes == [{"panel": starts[0], **BOX}]
    assert figure.revision == 1


def test_a_shared_picture_is_stored_until_both_legends_drop_it(
    import_legends: ImportLegends, reviewer: User, django_capture_on_commit_callbacks: Commits
) -> None:
    one, other = import_legends(2)
    name = store_figure(document=one, file=image_file(), actor=reviewer).file.name
    assert store_figure(document=other, file=image_file(), actor=reviewer).file.name == name
    with django_capture_on_commit_callbacks(execute=True):
        remove_figure(document=one, actor=reviewer)
    assert files_in_store() == [name]
    with django_capture_on_commit_callbacks(execute=True):
        remove_figure(document=other, actor=reviewer)
    assert files_in_store() == []


def test_a_removed_picture_leaves_its_boxes_for_the_next_one(
    drawn: Document, starts: list[int], reviewer: User
) -> None:
    put_box(document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=reviewer)
    remove_figure(document=drawn, actor=reviewer)
    figure = store_figure(document=drawn, file=image_file(), actor=reviewer)
    assert figure.boxes == [{"panel": starts[1], **BOX}]


def test_removing_a_missing_picture_is_refused(document: Document, reviewer: User) -> None:
    with pytest.raises(UserError, match="no image"):
        remove_figure(document=document, actor=reviewer)


def test_pictures_of_a_deleted_project_are_removed_and_no_others(
    drawn: Document, import_legends: ImportLegends, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = files_in_store()
    default_storage.save("figures/999999/abc.webp", io.BytesIO(b"x"))
    assert remove_forgotten_pictures() == 0  # it may belong to a transaction that has not ended
    monkeypatch.setattr(figures, "_FORGOTTEN_AFTER", -figures._FORGOTTEN_AFTER)
    assert remove_forgotten_pictures() == 1
    assert files_in_store() == kept


@pytest.mark.parametrize(
    ("image", "is_shown"),
    [
        ("https://images.example.org/fig1.jpg", True),
        ("https://IMAGES.example.org/fig1.jpg?size=full", True),
        ("http://images.example.org/fig1.jpg", False),
        ("https://images.example.org.evil.example/fig1.jpg", False),
        ("https://images.example.org@evil.example/fig1.jpg", False),
        ("https://evil.example/https://images.example.org/", False),
        ("https://images.example.org:8443/fig1.jpg", False),
        ("https://images.example.org\\@evil.example/", False),
        ("https://sub.images.example.org/fig1.jpg", False),
        ("https://[::1/fig1.jpg", False),
        ("javascript:alert(1)//images.example.org", False),
        ("//images.example.org/fig1.jpg", False),
        ("fig1.jpg", False),
        ("", False),
    ],
)
def test_only_https_addresses_of_listed_hosts_are_shown(
    image: str, is_shown: bool, settings: Any
) -> None:
    settings.IMAGE_HOSTS = ["images.example.org"]
    assert external_address(image) == (image if is_shown else "")


def test_without_listed_hosts_no_external_image_is_shown(settings: Any) -> None:
    settings.IMAGE_HOSTS = []
    assert external_address("https://images.example.org/fig1.jpg") == ""


def test_image_hosts_are_read_without_spaces_and_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SD_IMAGE_HOSTS", " Images.example.org, iiif.example.org ")
    assert environment.image_hosts() == ["images.example.org", "iiif.example.org"]


@pytest.mark.parametrize(
    "host",
    [
        "*",
        "https://images.example.org",
        "a.org; script-src *",
        "images.example.org/x",
        "localhost",
    ],
)
def test_an_invalid_image_host_stops_the_site_with_a_sentence(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SD_IMAGE_HOSTS", host)
    with pytest.raises(environment.environ.ImproperlyConfigured, match="not a host name"):
        environment.image_hosts()
