"""Pictures in an import: beside the right legend, or named; never in the way of the rest."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from annotator.accounts.actors import SYSTEM, Actor
from annotator.accounts.models import User
from annotator.corpus.figure_import import fold, stem_of
from annotator.corpus.figures import put_box, store_figure
from annotator.corpus.imports import import_paths
from annotator.corpus.models import Document, FigureImage, Project
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from ner_engine import schema
from ner_engine.formats import jsonl

Legend = Callable[[int], schema.Document]
ClientOf = Callable[[User | None], Client]
pytestmark = pytest.mark.django_db

JATS = """<article xmlns:xlink="http://www.w3.org/1999/xlink">
<front><article-meta><article-id pub-id-type="doi">{doi}</article-id></article-meta></front>
<body>{figures}</body></article>"""
FIGURE = (
    '<fig id="{id}"><label>{label}</label><caption><p>{text} (A) HeLa cells.</p></caption>'
    '<graphic xlink:href="{href}"/></fig>'
)


def article(doi: str, *figures: tuple[str, str, str]) -> bytes:
    """A JATS article with figures of (id, label, name of the image)."""
    drawn = (
        FIGURE.format(id=id, label=label, href=href, text=f"Cells of {doi} {id}.")
        for id, label, href in figures
    )
    return JATS.format(doi=doi, figures="".join(drawn)).encode()


def image(width: int, form: str = "PNG") -> bytes:
    """A picture that is known again by its width."""
    stream = io.BytesIO()
    Image.new("RGB", (width, 10), (width % 256, 90, 90)).save(stream, form)
    return stream.getvalue()


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def run_import(project: Project, *paths: Path, actor: Actor = SYSTEM) -> dict[str, Any]:
    return import_paths(project=project, paths=paths, source_format="", labels="none", actor=actor)


def widths(project: Project) -> dict[str, int]:
    """The width of each picture by the end of its legend's id."""
    rows = (
        FigureImage.objects.filter(document__project=project)
        .exclude(file="")
        .values_list("document__external_id", "width")
    )
    return {external_id.rpartition("#")[2]: width for external_id, width in rows}


def images_of(report: dict[str, Any]) -> dict[str, int]:
    return {name: n for name, n in report["counts"].items() if name.startswith("images")}


def test_a_package_of_an_article_brings_its_figures_along(project: Project, tmp_path: Path) -> None:
    files = {
        "elife/elife-1.xml": article(
            "10.7554/e.1",
            ("fig1", "Figure 1.", "elife-1-fig1-v1.tif"),
            ("fig2", "Figure 2.", "elife-1-fig2"),
        ),
        "elife/elife-1-fig1-v1.JPG": image(11, "JPEG"),
        "elife/elife-1-fig2.tif": image(12, "TIFF"),
        "elife/elife-1-inline-equation.png": image(13),
        "elife/__MACOSX/._elife-1-fig2.tif": b"junk",
        "elife/elife-1.pdf": b"%PDF-1.7",
    }
    report = run_import(project, packed(tmp_path / "package.zip", files))
    assert report["imported"] == 2
    assert report["n_problems"] == 0
    assert widths(project) == {"fig1": 11, "fig2": 12}
    assert images_of(report) == {"images": 2, "images_without_legend": 1}
    assert report["images_without_legend"] == ["package.zip/elife/elife-1-inline-equation.png"]
    assert report["counts"]["files_of_other_kinds"] == 1  # the PDF


def test_the_same_import_again_changes_nothing(project: Project, tmp_path: Path) -> None:
    path = packed(
        tmp_path / "a.zip",
        {"a.xml": article("10.1/a", ("fig1", "Figure 1", "f1")), "f1.png": image(11)},
    )
    run_import(project, path)
    before = list(FigureImage.objects.values())
    report = run_import(project, path)
    assert report["already_there"] == 1
    assert images_of(report) == {"images_already_there": 1}
    assert report["n_problems"] == 0
    assert list(FigureImage.objects.values()) == before


def test_a_picture_with_boxes_is_not_replaced(
    project: Project, tmp_path: Path, manager: User, reviewer: User
) -> None:
    path = packed(tmp_path / "a.zip", {"a.xml": article("10.1/a", ("fig1", "Figure 1", "f1"))})
    run_import(project, path)
    document = project.documents.get()
    document.segments.create(position=0, start=0, end=5, marker="A")
    store_figure(document=document, file=io.BytesIO(image(99)), actor=reviewer)
    put_box(
        document=document,
        panel=0,
        box={"x": 0, "y": 0, "width": 1, "height": 1},
        base_revision=0,
        actor=reviewer,
    )
    run_import(project, packed(tmp_path / "images.zip", {"f1.png": image(11)}), actor=manager)
    assert widths(project) == {"fig1": 99}
    assert len(FigureImage.objects.get().boxes) == 1


def test_images_alone_find_legends_that_came_before(
    project: Project, tmp_path: Path, legend: Legend, manager: User
) -> None:
    legends = [legend(number) for number in range(1, 7)]
    legends[0] = dataclasses.replace(
        legends[0], image="http://journal.example/x/Plate1.jpg?size=full"
    )
    with (tmp_path / "legends.jsonl").open("w", encoding="utf-8") as stream:
        jsonl.write(legends, stream)
    run_import(project, tmp_path / "legends.jsonl")
    files = {
        "plate1.PNG": image(11),  # by the name the legend gives it
        "fig-2.png": image(12),  # by the legend's id
        "10.1000_paper.1/Figure 3.png": image(13),  # by DOI and label
        "10.1000-paper.1_fig4.gif": image(14, "GIF"),
        "Figure 5 (final).png": image(15),  # by nothing
        "nobody.png": image(16),
    }
    report = run_import(project, packed(tmp_path / "images.zip", files), actor=manager)
    assert widths(project) == {"fig-1": 11, "fig-2": 12, "fig-3": 13, "fig-4": 14}
    assert images_of(report) == {"images": 4, "images_without_legend": 2}
    assert report["images_without_legend"] == [
        "images.zip/Figure 5 (final).png",
        "images.zip/nobody.png",
    ]
    assert report["n_problems"] == 0
    assert report["formats"] == []
    assert set(FigureImage.objects.values_list("added_by__username", flat=True)) == {"manager"}


def test_two_articles_with_equal_image_names_keep_their_own(
    project: Project, tmp_path: Path
) -> None:
    for number, paper in enumerate(("10.1/a", "10.1/b"), start=1):
        files = {
            "paper.xml": article(paper, (f"fig{number}", "Figure 1", "f1.jpg")),
            "f1.jpg": image(10 + number, "JPEG"),
        }
        run_import(project, packed(tmp_path / f"{number}.zip", files))
    assert widths(project) == {"fig1": 11, "fig2": 12}


def test_a_picture_that_fits_two_legends_is_named(project: Project, tmp_path: Path) -> None:
    both = {
        "a.xml": article("10.1/a", ("figa", "Figure 1", "f1")),
        "b.xml": article("10.1/b", ("figb", "Figure 1", "f1")),
    }
    report = run_import(project, packed(tmp_path / "both.zip", {**both, "f1.png": image(11)}))
    assert widths(project) == {} and "its name fits 2 legends" in report["problems"][0]
    run_import(project, packed(tmp_path / "again.zip", {"10.1_b/f1.png": image(12)}))
    assert widths(project) == {"figb": 12}


def test_a_label_alone_matches_only_if_one_paper_is_possible(
    project: Project, tmp_path: Path
) -> None:
    run_import(
        project,
        packed(
            tmp_path / "a.zip",
            {"a.xml": article("10.1/a", ("x1", "Figure 1", "")), "Fig. 1.png": image(11)},
        ),
    )
    assert widths(project) == {"x1": 11}
    run_import(
        project, packed(tmp_path / "b.zip", {"b.xml": article("10.1/b", ("x2", "Figure 2", ""))})
    )
    report = run_import(project, packed(tmp_path / "images.zip", {"figure_2.png": image(12)}))
    assert widths(project) == {"x1": 11} and images_of(report) == {"images_without_legend": 1}


def test_of_several_files_of_one_figure_the_best_is_taken(project: Project, tmp_path: Path) -> None:
    files = {
        "a.xml": article("10.1/a", ("fig1", "Figure 1", "f1")),
        "f1.gif": image(11, "GIF"),
        "f1.jpg": image(12, "JPEG"),
        "f1.tif": image(13, "TIFF"),
    }
    report = run_import(project, packed(tmp_path / "a.zip", files))
    assert widths(project) == {"fig1": 13}
    assert images_of(report) == {"images": 1, "images_already_there": 2}


def test_a_bad_image_is_named_and_the_rest_goes_through(project: Project, tmp_path: Path) -> None:
    figures = [(f"fig{number}", f"Figure {number}", f"f{number}") for number in range(1, 5)]
    files = {
        "a.xml": article("10.1/a", *figures),
        "f1.png": b"<svg/>",
        "f2.png": image(12)[:50],
        "f3.png": image(13),
        "../f4.png": image(14),
        "f4.png": b"",
    }
    report = run_import(project, packed(tmp_path / "a.zip", files))
    assert report["imported"] == 4
    assert widths(project) == {"fig3": 13}
    named = " ".join(report["problems"])
    assert report["n_problems"] == 4 and all(
        name in named for name in ("a.zip/f1.png", "a.zip/f2.png", "../f4.png", "a.zip/f4.png")
    )


def test_single_files_and_folders_bring_pictures_too(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.xml").write_bytes(
        article("10.1/a", ("fig1", "Figure 1", "f1"), ("fig2", "Figure 2", "f2"))
    )
    (folder / "f1.png").write_bytes(image(11))
    (tmp_path / "f2.png").write_bytes(image(12))
    report = run_import(project, tmp_path / "f2.png", folder)  # in whatever order
    assert report["imported"] == 2
    assert report["n_problems"] == 0
    assert widths(project) == {"fig1": 11, "fig2": 12}


def test_an_import_in_the_browser_reports_its_images(
    project: Project, client_of: ClientOf, reviewer: User, tmp_path: Path
) -> None:
    path = packed(
        tmp_path / "a.zip",
        {
            "a.xml": article("10.1/a", ("fig1", "Figure 1", "f1")),
            "f1.png": image(11),
            "<b>.png": image(12),
        },
    )
    browser = client_of(reviewer)
    sent = SimpleUploadedFile("a.zip", path.read_bytes())
    page = browser.post(
        "/projects/autophagy/import/", {"files": [sent], "labels": "none", "source_format": ""}
    )["Location"]
    run_job(Job.objects.latest("id").pk)
    html = browser.get(page).content.decode()
    assert (
        "Images attached to their legends" in html
        and "Images without a legend" in html
        and "&lt;b&gt;.png" in html
    )
    assert FigureImage.objects.get().added_by == reviewer


def test_the_command_takes_images_alone_for_work_done(project: Project, tmp_path: Path) -> None:
    run_import(
        project,
        packed(tmp_path / "a.zip", {"a.xml": article("10.1/a", ("fig1", "Figure 1", "f1"))}),
    )
    out = io.StringIO()
    call_command(
        "import_documents",
        project.slug,
        str(packed(tmp_path / "i.zip", {"f1.png": image(11)})),
        "--json",
        stdout=out,
        stderr=io.StringIO(),
    )
    assert json.loads(out.getvalue().splitlines()[-1])["counts"] == {"images": 1}


def test_real_articles_find_the_images_that_their_graphics_name(
    project: Project, tmp_path: Path, shared_dir: Path
) -> None:
    articles = {
        path.name: path.read_bytes()
        for path in sorted((shared_dir / "jats-elife").glob("elife0000*.xml"))
    }
    run_import(project, packed(tmp_path / "articles.zip", articles))
    named = [name for name in project.documents.values_list("image", flat=True) if name]
    report = run_import(
        project,
        packed(
            tmp_path / "images.zip",
            {f"images/{name}.jpg": image(10 + at, "JPEG") for at, name in enumerate(named)},
        ),
    )
    assert len(named) > 10 and images_of(report) == {"images": len(set(named))}


def test_names_are_looked_up_in_few_queries(
    project: Project, tmp_path: Path, legend: Legend, django_assert_max_num_queries: Any
) -> None:
    run_import(
        project,
        packed(
            tmp_path / "a.zip",
            {"a.xml": article("10.1/a", *[(f"fig{n}", f"Figure {n}", f"f{n}") for n in range(30)])},
        ),
    )
    with django_assert_max_num_queries(12):
        run_import(
            project, packed(tmp_path / "i.zip", {f"other{n}.png": image(11) for n in range(30)})
        )


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("elife-00666-fig1.tif", "elife-00666-fig1"),
        ("elife-14093-fig1-v1", "elife-14093-fig1-v1"),
        ("pone.0012345.g001", "pone.0012345.g001"),
        ("images\\F1.EPS", "f1"),
        ("https://x.org/a/F1.jpg?w=9#top", "f1"),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_the_name_of_an_image_is_its_stem(name: str, stem: str) -> None:
    assert stem_of(name) == stem


@given(st.text())
def test_folded_names_are_folded_for_good_and_no_name_is_too_odd(name: str) -> None:
    assert fold(fold(name)) == fold(name)
    assert isinstance(stem_of(name), str)


def test_documents_of_another_project_are_left_alone(
    project: Project, tmp_path: Path, manager: User
) -> None:
    from annotator.corpus.services import create_project

    other = create_project(name="Other", actor=manager)
    path = packed(tmp_path / "a.zip", {"a.xml": article("10.1/a", ("fig1", "Figure 1", "f1"))})
    run_import(project, path)
    run_import(other, path)
    run_import(other, packed(tmp_path / "i.zip", {"f1.png": image(11)}))
    assert widths(project) == {}
    assert widths(other) == {"fig1": 11}
    assert Document.objects.count() == 2


def with_wrong_checksum(path: Path, name: str) -> Path:
    """The archive with a byte of the member's content changed."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    data[info.header_offset + 30 + len(name) + info.compress_size // 2] ^= 1
    path.write_bytes(data)
    return path


def test_a_damaged_image_is_named_once_and_the_rest_is_counted(
    project: Project, tmp_path: Path
) -> None:
    figures = [(f"fig{number}", f"Figure {number}", f"f{number}") for number in (1, 2)]
    archive = packed(
        tmp_path / "a.zip",
        {"f1.png": image(11), "f2.png": image(12), "a.xml": article("10.1/a", *figures)},
    )
    report = run_import(project, with_wrong_checksum(archive, "f1.png"))
    assert widths(project) == {"fig2": 12}
    assert report["imported"] == 2
    assert images_of(report) == {"images": 1}
    assert len(report["problems"]) == 1
    assert report["problems"][0].startswith("a.zip/f1.png: it cannot be read to its end")


def test_an_image_under_a_broken_name_leaves_the_report_whole(
    project: Project, tmp_path: Path
) -> None:
    archive = packed(
        tmp_path / "a.zip",
        {"a.xml": article("10.1/a", ("fig1", "Figure 1", "f1")), "f1.png": image(11)},
    )
    archive.write_bytes(archive.read_bytes().replace(b"f1.png", b"\xff1.png", 1))
    report = run_import(project, archive)
    assert report["imported"] == 1
    assert len(report["problems"]) == 1
    assert report["problems"][0].startswith("a.zip/f1.png: it cannot be read")


def test_a_damaged_article_among_images_is_named(project: Project, tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "a.zip",
        {"f1.png": image(11), "a.xml": article("10.1/a", ("fig1", "Figure 1", "f1"))},
    )
    report = run_import(project, with_wrong_checksum(archive, "a.xml"))
    assert report["imported"] == 0
    assert len(report["problems"]) == 1
    assert report["problems"][0].startswith("a.zip/a.xml: it cannot be read to its end")
