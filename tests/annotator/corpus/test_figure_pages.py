"""The pages and forms of a figure."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from annotator.accounts.models import User
from annotator.corpus.figures import (
    put_box,
    store_figure,
)
from annotator.corpus.holding import HeldError
from annotator.corpus.models import (
    Document,
    FigureImage,
    Project,
)
from annotator.review.models import Lease
from tests.annotator.corpus.images import (
    BOX,
    image_file,
)
from tests.annotator.html import html_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


def address(name: str, document: Document) -> str:
    return reverse(f"corpus:{name}", args=[document.project.slug, document.pk])


def boxes_form(panel: int, revision: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "panel": panel,
        "revision": revision,
        "x": "10",
        "y": "20",
        "width": "30",
        "height": "40",
    } | fields


def part(client: Client, method: str, url: str, fields: dict[str, Any] | None = None) -> Any:
    return getattr(client, method)(url, fields or {}, headers={"HX-Request": "true"})


def test_an_external_picture_is_shown_by_the_browser(
    document: Document,
    starts: list[int],
    curator: User,
    viewer: User,
    client_of: ClientOf,
    settings: Any,
) -> None:
    settings.IMAGE_HOSTS = ["images.example.org"]
    Document.objects.filter(pk=document.pk).update(image="https://images.example.org/fig1.jpg")
    client_of(curator).post(address("figure_boxes", document), boxes_form(starts[0]))
    html = client_of(viewer).get(address("figure", document)).content.decode()
    assert (
        '<img src="https://images.example.org/fig1.jpg" alt="Figure 1" referrerpolicy="no-referrer"'
        ' loading="lazy"' in html
    )
    assert f'data-panel="{starts[0]}"' in html
    assert FigureImage.objects.get().file.name == ""
    assert client_of(viewer).get(address("figure_image", document)).status_code == 404


@pytest.mark.parametrize(
    ("who", "status"),
    [("viewer", 200), ("curator", 200), ("manager", 200), ("admin", 200), ("stranger", 404)],
)
def test_an_image_is_served_to_members_and_runs_in_no_browser(
    who: str, status: int, drawn: Document, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    answer = client_of(request.getfixturevalue(who)).get(address("figure_image", drawn))
    assert answer.status_code == status


def test_an_image_is_sent_so_that_no_browser_runs_it(
    drawn: Document, viewer: User, client_of: ClientOf
) -> None:
    answer = client_of(viewer).get(address("figure_image", drawn))
    assert Image.open(io.BytesIO(answer.content)).size == (60, 40)
    assert answer["Content-Type"] == "image/webp"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'"
    assert answer["Content-Disposition"].startswith("inline")


@pytest.mark.parametrize(
    ("query", "caching"), [("", "private, no-cache"), ("?v=1", "private, max-age=86400")]
)
def test_only_an_address_with_the_content_may_be_cached(
    query: str, caching: str, drawn: Document, viewer: User, client_of: ClientOf
) -> None:
    answer = client_of(viewer).get(address("figure_image", drawn) + query)
    assert answer["Cache-Control"] == caching


def test_the_image_of_another_project_is_not_found(
    drawn: Document, admin: User, client_of: ClientOf
) -> None:
    other = Project.objects.create(name="Other", slug="other", label_set=drawn.project.label_set)
    for name in ("figure_image", "figure"):
        assert (
            client_of(admin).get(reverse(f"corpus:{name}", args=[other.slug, drawn.pk])).status_code
            == 404
        )


def test_a_browser_that_has_the_image_is_not_sent_it_again(
    drawn: Document, viewer: User, client_of: ClientOf
) -> None:
    client = client_of(viewer)
    etag = client.get(address("figure_image", drawn))["ETag"]
    answer = client.get(address("figure_image", drawn), headers={"If-None-Match": etag})
    assert answer.status_code == 304
    assert answer.content == b""


def test_an_image_that_left_the_store_is_not_found(
    drawn: Document, viewer: User, client_of: ClientOf
) -> None:
    default_storage.delete(drawn.figure.file.name)
    assert client_of(viewer).get(address("figure_image", drawn)).status_code == 404


def test_without_a_picture_a_viewer_is_sent_an_empty_part(
    document: Document, viewer: User, client_of: ClientOf
) -> None:
    client = client_of(viewer)
    assert part(client, "get", address("figure", document)).content == b""
    assert "This legend has no image." in html_of(client.get(address("figure", document)))
    assert 'id="figure"' not in html_of(client.get(address("document", document)))


def test_a_curator_is_told_who_can_add_an_image(
    document: Document, curator: User, client_of: ClientOf
) -> None:
    answer = part(client_of(curator), "get", address("figure", document))
    assert "Your role cannot add one. Ask a reviewer or manager" in html_of(answer)
    assert "Add image" not in html_of(answer)


def test_a_reviewer_adds_an_image_and_is_told_nothing(
    document: Document, reviewer: User, client_of: ClientOf
) -> None:
    answer = part(client_of(reviewer), "get", address("figure", document))
    assert "Add image" in html_of(answer)
    assert "Your role cannot" not in html_of(answer)


def test_without_a_picture_an_importer_may_add_one(
    document: Document, reviewer: User, client_of: ClientOf
) -> None:
    client = client_of(reviewer)
    offered = html_of(part(client, "get", address("figure", document)))
    assert offered.count("<summary>") == 1
    assert "Add image" in offered
    assert "<img" not in offered
    assert 'id="figure"' in html_of(client.get(address("document", document)))


@pytest.fixture
def upload() -> SimpleUploadedFile:
    return SimpleUploadedFile("figure <1>.png", image_file().getvalue(), "image/png")


def test_an_upload_by_script_returns_the_part(
    document: Document, upload: SimpleUploadedFile, reviewer: User, client_of: ClientOf
) -> None:
    client = client_of(reviewer)
    html = html_of(part(client, "post", address("figure_upload", document), {"image": upload}))
    assert "<html" not in html
    assert 'width="60" height="40"' in html
    source = re.findall(r'<img src="([^"]+)"', html)[0]
    assert client.get(source)["Content-Type"] == "image/webp"


def test_an_upload_without_script_leads_to_the_page(
    document: Document, upload: SimpleUploadedFile, reviewer: User, client_of: ClientOf
) -> None:
    client = client_of(reviewer)
    answer = client.post(address("figure_upload", document), {"image": upload})
    assert answer["Location"] == address("figure", document)
    page = html_of(client.get(answer["Location"]))
    assert "The image is saved." in page
    assert 'width="60" height="40"' in page


def test_an_image_is_removed_without_script(
    drawn: Document, reviewer: User, client_of: ClientOf
) -> None:
    client = client_of(reviewer)
    answer = client.post(address("figure_remove", drawn))
    assert answer["Location"] == address("figure", drawn)
    assert "<img" not in html_of(client.get(answer["Location"]))


@pytest.mark.parametrize("data", [None, b"no image"], ids=["nothing", "no image"])
def test_a_refused_upload_returns_the_form_with_a_sentence(
    data: bytes | None, document: Document, reviewer: User, client_of: ClientOf
) -> None:
    fields = {"image": SimpleUploadedFile("a.png", data, "image/png")} if data else {}
    for answer in (
        part(client_of(reviewer), "post", address("figure_upload", document), fields),
        client_of(reviewer).post(address("figure_upload", document)),
    ):
        html = answer.content.decode()
        assert (
            answer.status_code == 422
            and 'role="alert"' in html
            and "<details" in html
            and " open>" in html
        )
    assert not FigureImage.objects.exists()


def test_a_box_is_saved_by_numbers_and_drawn_over_the_image(
    drawn: Document, starts: list[int], curator: User, client_of: ClientOf
) -> None:
    fields = boxes_form(starts[0], width="33,25")
    html = html_of(part(client_of(curator), "post", address("figure_boxes", drawn), fields))
    assert FigureImage.objects.get().boxes == [{"panel": starts[0], **BOX, "width": 0.3325}]
    assert 'x="10%" y="20%" width="33.25%" height="40%"' in html
    assert 'name="revision" value="1"' in html


def test_the_next_panel_without_a_box_is_chosen(
    drawn: Document, starts: list[int], curator: User, client_of: ClientOf
) -> None:
    fields = boxes_form(starts[0])
    html = html_of(part(client_of(curator), "post", address("figure_boxes", drawn), fields))
    assert f'<option value="{starts[1]}" selected> B </option>' in html


def test_a_viewer_sees_boxes_without_a_form(
    drawn: Document, starts: list[int], curator: User, viewer: User, client_of: ClientOf
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=curator)
    html = html_of(client_of(viewer).get(address("figure", drawn)))
    assert f'data-panel="{starts[0]}"' in html
    assert "<form" not in html.split("data-figure=")[1]


def test_a_box_is_removed_without_script(
    drawn: Document, starts: list[int], curator: User, client_of: ClientOf
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=curator)
    fields = {"remove": starts[0], "revision": 1}
    answer = client_of(curator).post(address("figure_boxes", drawn), fields)
    assert answer["Location"] == address("figure", drawn)
    assert FigureImage.objects.get().boxes == []


WRONG = [
    {"panel": 1},
    {"panel": "x"},
    {"x": ""},
    {"x": "nan"},
    {"width": "95"},
    {"height": "0"},
    {"y": "-1"},
    {"x": "1e999"},
    {"remove": "0"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_senseless_box_comes_back_with_a_sentence(
    wrong: dict[str, Any], drawn: Document, starts: list[int], curator: User, client_of: ClientOf
) -> None:
    answer = part(
        client_of(curator), "post", address("figure_boxes", drawn), boxes_form(starts[0]) | wrong
    )
    assert answer.status_code == 422 and 'role="alert"' in answer.content.decode()
    assert FigureImage.objects.get().boxes == []


def test_boxes_changed_meanwhile_are_returned(
    drawn: Document, starts: list[int], curator: User, reviewer: User, client_of: ClientOf
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=reviewer)
    Lease.objects.all().delete()
    answer = part(client_of(curator), "post", address("figure_boxes", drawn), boxes_form(starts[1]))
    html = answer.content.decode()
    assert answer.status_code == 409 and "Somebody changed the boxes" in html
    assert f'data-panel="{starts[0]}"' in html and 'name="revision" value="1"' in html


def hold(document: Document, user: User) -> None:
    Lease.objects.create(
        document=document, holder=user, expires_at=timezone.now() + timedelta(minutes=1)
    )


@pytest.mark.parametrize("change", ["draw", "remove"])
def test_no_box_changes_while_another_user_works_there(
    change: str,
    drawn: Document,
    starts: list[int],
    curator: User,
    reviewer: User,
    client_of: ClientOf,
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=curator)
    Lease.objects.all().delete()
    hold(drawn, reviewer)
    fields = {"remove": starts[0], "revision": 1}
    if change == "draw":
        fields = boxes_form(starts[0], revision=1)
    answer = part(client_of(curator), "post", address("figure_boxes", drawn), fields)
    assert answer.status_code == 423
    assert "is working on this legend" in answer.content.decode()
    assert FigureImage.objects.get().boxes == [{"panel": starts[0], **BOX}]


def test_whoever_draws_a_box_works_on_the_legend(
    drawn: Document, starts: list[int], curator: User, reviewer: User
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=curator)
    assert Lease.objects.get().holder == curator
    with pytest.raises(HeldError, match="is working on this legend"):
        put_box(document=drawn, panel=starts[1], box=BOX, base_revision=1, actor=reviewer)


def test_the_form_of_boxes_is_away_while_another_user_works(
    drawn: Document, curator: User, reviewer: User, client_of: ClientOf
) -> None:
    hold(drawn, reviewer)
    html = html_of(part(client_of(curator), "get", address("figure", drawn)))
    assert "Boxes cannot be changed meanwhile" in html
    assert "Draw box" not in html


def test_names_that_look_like_markup_are_shown_as_text(
    document: Document, reviewer: User, client_of: ClientOf
) -> None:
    document.segments.filter(position=0).update(marker="'><b>\"\\")
    Document.objects.filter(pk=document.pk).update(figure_label='<script>alert("1")</script>')
    store_figure(document=document, file=image_file(), actor=reviewer)
    html = client_of(reviewer).get(address("figure", document)).content.decode()
    assert "<script>alert" not in html and "<b>" not in html


def test_the_figure_takes_few_queries(
    drawn: Document, viewer: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    client = client_of(viewer)
    with django_assert_max_num_queries(10):
        part(client, "get", address("figure", drawn))
