"""Import: what goes in, what is passed over, what is refused by name."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.corpus.annotations import engine_documents
from annotator.corpus.imports import import_documents, import_paths
from annotator.corpus.models import (
    Document,
    DocumentState,
    Layer,
    LayerKind,
    Project,
    Segment,
    Span,
)
from annotator.jobs.errors import JobLostError
from annotator.jobs.models import Job, JobState
from annotator.jobs.runs import JobRun
from ner_engine import schema
from ner_engine.formats import jsonl

Legend = Callable[[int], schema.Document]
pytestmark = pytest.mark.django_db


def run_import(project: Project, *paths: Path, **options: str) -> dict[str, Any]:
    """The report of the command, as its ``--json`` prints it."""
    out = io.StringIO()
    call_command(
        "import_documents",
        project.slug,
        *map(str, paths),
        "--json",
        stdout=out,
        stderr=io.StringIO(),
        **options,
    )
    report: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return report


def write_jsonl(path: Path, documents: list[schema.Document]) -> Path:
    with path.open("w", encoding="utf-8") as stream:
        jsonl.write(documents, stream)
    return path


@pytest.fixture
def three(tmp_path: Path, legend: Legend) -> Path:
    return write_jsonl(tmp_path / "legends.jsonl", [legend(number) for number in (1, 2, 3)])


def test_gold_labels_make_an_accepted_legend(project: Project, three: Path, legend: Legend) -> None:
    report = run_import(project, three, labels="gold")
    assert {
        name: report[name]
        for name in ("imported", "already_there", "accepted", "panels", "spans", "n_problems")
    } == {
        "imported": 3,
        "already_there": 0,
        "accepted": 3,
        "panels": 6,
        "spans": 15,
        "n_problems": 0,
    }
    document = project.documents.get(external_id="fig-1")
    assert document.state == "accepted"
    assert document.figure_label == "Figure 1"
    assert document.text == legend(1).text
    assert document.n_panels == 2
    layer = document.layers.get()
    assert layer.kind == LayerKind.IMPORTED
    assert layer.spans.count() == 5
    bafilomycin = layer.spans.get(surface="bafilomycin A1")
    assert bafilomycin.label == "SMALL_MOLECULE"
    assert bafilomycin.role == "CONTROLLED_VAR"
    assert bafilomycin.verdict == "accepted"
    assert bafilomycin.decision == "imported"


def test_labels_taken_as_suggestions_wait_for_review(project: Project, three: Path) -> None:
    report = run_import(project, three, labels="suggestions")
    assert report["suggested"] == 3
    assert report["accepted"] == 0
    assert set(project.documents.values_list("state", "layers__kind")) == {
        (DocumentState.SUGGESTED, LayerKind.SUGGESTED)
    }
    assert set(Span.objects.values_list("verdict", "decision")) == {("", "")}


def test_labels_left_out_leave_text_and_panels(project: Project, three: Path) -> None:
    report = run_import(project, three, labels="none")
    assert report["imported"] == 3
    assert report["spans"] == 0
    assert report["panels"] == 6
    assert set(project.documents.values_list("state", flat=True)) == {DocumentState.IMPORTED}
    assert not Layer.objects.exists()


def test_a_legend_without_gold_is_not_accepted(
    project: Project, tmp_path: Path, legend: Legend
) -> None:
    guessed = legend(1)
    guessed = dataclasses.replace(
        guessed,
        gold=(),
        suggestions=tuple(dataclasses.replace(span, score=0.5) for span in guessed.gold),
    )
    run_import(project, write_jsonl(tmp_path / "guessed.jsonl", [guessed]), labels="gold")
    document = project.documents.get()
    assert document.state == DocumentState.SUGGESTED
    assert document.layers.get().kind == LayerKind.SUGGESTED
    assert document.layers.get().spans.count() == 5


def test_importing_the_same_file_twice_adds_nothing(project: Project, three: Path) -> None:
    run_import(project, three)
    before = (
        Document.objects.count(),
        Segment.objects.count(),
        Layer.objects.count(),
        Span.objects.count(),
    )
    report = run_import(project, three)
    assert report["imported"] == 0
    assert report["already_there"] == 3
    assert report["n_problems"] == 0
    assert (
        Document.objects.count(),
        Segment.objects.count(),
        Layer.objects.count(),
        Span.objects.count(),
    ) == before


def test_a_legend_named_twice_in_one_file_is_imported_once(
    project: Project, tmp_path: Path, legend: Legend
) -> None:
    report = run_import(project, write_jsonl(tmp_path / "twice.jsonl", [legend(1), legend(1)]))
    assert report["imported"] == 1
    assert report["already_there"] == 1


def test_the_same_legend_may_be_in_two_projects(
    project: Project, three: Path, manager: User
) -> None:
    from annotator.corpus.services import create_project

    other = create_project(name="Other", actor=manager)
    assert run_import(project, three)["imported"] == run_import(other, three)["imported"] == 3


def test_a_changed_text_is_refused_and_the_stored_one_stays(
    project: Project, three: Path, tmp_path: Path, legend: Legend
) -> None:
    run_import(project, three)
    changed = dataclasses.replace(legend(1), text=legend(1).text + " More.", gold=(), segments=())
    report = run_import(project, write_jsonl(tmp_path / "changed.jsonl", [changed, legend(4)]))
    assert report["imported"] == 1
    assert report["refused"] == 1
    assert "Figure 1" in report["problems"][0] and "another text" in report["problems"][0]
    assert project.documents.get(external_id="fig-1").text == legend(1).text


def test_legends_without_an_id_are_known_by_their_text(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text(
        '{"text": "Cells with αSyn."}\n{"text": "Cells with βSyn."}\n', encoding="utf-8"
    )
    assert run_import(project, path)["imported"] == 2
    assert run_import(project, path)["already_there"] == 2


def test_what_was_imported_comes_out_as_it_went_in(
    project: Project, three: Path, legend: Legend
) -> None:
    run_import(project, three, labels="gold")
    for number, document in enumerate(engine_documents(project.documents.all()), start=1):
        source = legend(number)
        assert document.text == source.text
        assert document.doi == source.doi
        assert document.label == source.label
        assert document.segments == source.segments
        assert [dataclasses.replace(span, attributes={}) for span in document.gold] == list(
            source.gold
        )
        assert {span.attributes["decision"] for span in document.gold} == {"imported"}


BAD_LINES = {
    "not JSON": b'{"text": "cut off',
    "not an object": b"[1, 2]",
    "text that is a number": b'{"id": "x", "text": 7}',
    "empty text": b'{"id": "x", "text": "  "}',
    "offset of the wrong type": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": "0", "end": 3, "label":'
        b' "GENEPROD"}]}'
    ),
    "offset that is true": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": true, "end": 3, "label":'
        b' "GENEPROD"}]}'
    ),
    "offset out of range": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 0, "end": 99, "label":'
        b' "GENEPROD"}]}'
    ),
    "negative offset": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": -3, "end": 3, "label":'
        b' "GENEPROD"}]}'
    ),
    "span of white space": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 3, "end": 4, "label":'
        b' "GENEPROD"}]}'
    ),
    "unknown label": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 0, "end": 3, "label": "PLANET"}]}'
    ),
    "unknown role": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 0, "end": 3, "label": "GENEPROD",'
        b' "role": "KING"}]}'
    ),
    "invalid UTF-8": b'{"id": "x", "text": "Bax \xff"}',
    "lone surrogate": b'{"id": "x", "text": "Bax \\ud800"}',
    "lone surrogate in the id": b'{"id": "\\ud800", "text": "Bax"}',
    "NUL": b'{"id": "x", "text": "Bax \\u0000"}',
    "NUL in an attribute": b'{"id": "x", "text": "Bax", "attributes": {"note": "\\u0000"}}',
    "surrogate in an attribute": (
        b'{"id": "x", "text": "Bax", "spans": [{"start": 0, "end": 3, "label": "CELL",'
        b' "attributes": {"a": "\\udc00"}}]}'
    ),
    "panel outside the text": b'{"id": "x", "text": "Bax", "segments": [{"start": 0, "end": 30}]}',
    "endless id": b'{"id": "' + b"x" * 300 + b'", "text": "Bax"}',
    "deep nesting": (
        b'{"id": "x", "text": "Bax", "attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_named_and_the_rest_goes_through(
    project: Project, tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(
        b'{"id": "a", "text": "Bax in cells"}\n' + line + b'\n{"id": "b", "text": "Bak in cells"}\n'
    )
    report = run_import(project, path)
    assert report["imported"] == 2
    assert report["n_problems"] == 1
    assert (
        "line 2" in report["problems"][0]
        or "the project" in report["problems"][0]
        or "its id" in report["problems"][0]
    )
    assert sorted(project.documents.values_list("external_id", flat=True)) == ["a", "b"]


def test_a_bad_row_after_a_thousand_leaves_all_others_once(
    project: Project, tmp_path: Path
) -> None:
    rows = [json.dumps({"id": str(number), "text": f"Legend {number}"}) for number in range(1200)]
    rows[1100] = (
        '{"id": "bad", "text": "Bax", "spans": [{"start": 0, "end": 40, "label": "GENEPROD"}]}'
    )
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    report = run_import(project, path)
    assert report["imported"] == 1199
    assert report["n_problems"] == 1
    assert project.documents.count() == 1199
    assert "line 1101" in report["problems"][0]
    assert run_import(project, path)["imported"] == 0


OTHER_TOOL: list[dict[str, Any]] = [
    {"answer": "accept", "label": "GENEPROD"},
    {"answer": "reject", "label": "ORGANISM"},
    {"answer": "ignore", "label": "ORGANISM"},
    {"answer": "accept", "entity_group": "GENEPROD"},
    {"answer": "accept", "label": ["GENEPROD"]},
    {"answer": "accept"},
]


@pytest.fixture
def of_prodigy(tmp_path: Path) -> Path:
    """Rows with tokens, spans and an answer, the last two with a span whose label is none."""
    lines = []
    for number, facts in enumerate(OTHER_TOOL, start=1):
        span = {"start": 0, "end": 3, "token_start": 0} | {
            key: facts[key] for key in facts if key != "answer"
        }
        tokens = [{"text": "Bax", "start": 0, "end": 3, "id": 0}]
        row = {
            "text": f"Bax in cells {number}",
            "tokens": tokens,
            "spans": [span],
            "answer": facts["answer"],
        }
        lines.append(json.dumps(row))
    path = tmp_path / "prodigy.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_rejected_rows_become_texts_to_review(project: Project, of_prodigy: Path) -> None:
    report = run_import(project, of_prodigy, labels="gold")
    assert report["formats"] == ["jsonl"]
    assert report["imported"] == 4
    assert report["accepted"] == 2
    assert report["refused"] == 0
    accepted = Span.objects.filter(verdict="accepted")
    found = accepted.values_list("layer__document__text", "label").order_by("layer__document__text")
    assert list(found) == [("Bax in cells 1", "GENEPROD"), ("Bax in cells 4", "GENEPROD")]
    waiting = project.documents.filter(state=DocumentState.IMPORTED)
    assert sorted(waiting.values_list("text", flat=True)) == ["Bax in cells 2", "Bax in cells 3"]
    assert not Layer.objects.filter(document__in=waiting).exists()


@pytest.mark.parametrize("labels", ["gold", "suggestions"])
def test_the_report_tells_rejected_and_unlabelled_rows(
    project: Project, of_prodigy: Path, labels: str
) -> None:
    report = run_import(project, of_prodigy, labels=labels)
    assert report["counts"]["rows_rejected"] == 2
    assert report["notes"] == [
        "2 rows were marked as rejected or ignored by the other tool. They were imported without"
        " their entities and need a review."
    ]
    assert [problem.partition(":")[0] for problem in report["problems"]] == [
        "prodigy.jsonl, line 5",
        "prodigy.jsonl, line 6",
    ]
    assert set(Span.objects.values_list("label", flat=True)) == {"GENEPROD"}


def test_the_command_prints_the_note_on_rejected_rows(project: Project, of_prodigy: Path) -> None:
    out = io.StringIO()
    call_command(
        "import_documents", project.slug, str(of_prodigy), stdout=out, stderr=io.StringIO()
    )
    assert "2 rows were marked as rejected or ignored by the other tool." in out.getvalue()


PANEL = (
    '<sd-panel panel_id="{id}1">(A) <sd-tag id="t{id}" entity_type="protein"'
    ' text="Bax">Bax</sd-tag> in cells {id}.</sd-panel>'
)
FIGURE = f'<fig id="{{id}}"><label>Figure {{id}}</label>{PANEL}</fig>'
GOOD_XML = f'<article doi="10.1/{{doi}}">{FIGURE}</article>'
BOMB = (
    '<!DOCTYPE a [<!ENTITY x "boom"><!ENTITY y "&x;&x;&x;&x;&x;">]><article doi="10.1/x"><fig'
    ' id="1"><sd-panel>&y;</sd-panel></fig></article>'
)


def test_an_archive_with_broken_files_gives_the_rest(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "papers.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.xml", GOOD_XML.format(doi="a", id="1"))
        archive.writestr("broken.xml", '<article doi="10.1/b"><fig id="1">')
        archive.writestr("empty.xml", "")
        archive.writestr("entities.xml", BOMB)
        archive.writestr("../climbing.xml", GOOD_XML.format(doi="c", id="1"))
        archive.writestr("/etc/absolute.xml", GOOD_XML.format(doi="d", id="1"))
        archive.writestr(
            "latin.xml",
            GOOD_XML.format(doi="e", id="1").replace("cells", "cells à").encode("latin-1"),
        )
        archive.writestr("zipbomb.xml", b" " * 40_000_000)
        archive.writestr("last.xml", GOOD_XML.format(doi="z", id="9"))
    report = run_import(project, path)
    assert sorted(project.documents.values_list("doi", flat=True)) == ["10.1/a", "10.1/z"]
    for name in (
        "broken.xml",
        "empty.xml",
        "entities.xml",
        "climbing.xml",
        "absolute.xml",
        "latin.xml",
        "zipbomb.xml",
    ):
        assert sum(name in problem for problem in report["problems"]) == 1, (
            name,
            report["problems"],
        )
    assert report["n_problems"] == 7
    assert not (tmp_path.parent / "climbing.xml").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jsonl", b""),
        ("empty.xml", b""),
        ("noise.zip", b"PK\x03\x04 and then nothing"),
        ("binary.dat", bytes(range(256)) * 4),
        ("latin.txt", b"caf\xe9"),
    ],
)
def test_an_unreadable_file_is_named_and_nothing_is_written(
    project: Project, tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    report = run_import(project, path)
    assert report["imported"] == 0
    assert report["n_problems"] == 1
    assert report["problems"][0].startswith(name)
    assert not Document.objects.exists()


def test_a_deeply_nested_line_is_refused_and_the_rest_imported(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_bytes(
        b'{"text": ' + b"[" * 50_000 + b"]" * 50_000 + b'}\n{"id": "a", "text": "Bax moves"}\n'
    )
    report = run_import(project, path)
    assert report["imported"] == 1
    assert len(report["problems"]) == 1
    assert report["problems"][0].startswith("deep.jsonl, line 1: it is not JSON")


def test_a_missing_file_does_not_keep_the_others_out(
    project: Project, tmp_path: Path, three: Path
) -> None:
    report = run_import(project, tmp_path / "missing.jsonl", three)
    assert report["imported"] == 3
    assert report["problems"][0].startswith("missing.jsonl")


def test_a_document_with_spans_that_do_not_fit_is_refused_whole(
    project: Project, legend: Legend, manager: User
) -> None:
    broken = dataclasses.replace(legend(1), gold=(schema.Span(0, 4, "GENEPROD", "nope"),))
    report = import_documents(
        project=project,
        documents=[broken, legend(2)],
        source_format="jsonl",
        labels="gold",
        actor=manager,
    )
    assert report["imported"] == 1
    assert report["refused"] == 1
    assert Document.objects.get().external_id == "fig-2"


def test_a_refused_document_leaves_the_rest_of_its_batch(
    project: Project, legend: Legend, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the checks do not foresee: the batch is undone and written document by document."""
    from annotator.corpus.imports import Importer

    monkeypatch.setattr(Importer, "_refusal", lambda self, document: "")
    twins = dataclasses.replace(
        legend(2), gold=tuple(dataclasses.replace(span, id="same") for span in legend(2).gold)
    )
    report = import_documents(
        project=project,
        documents=[legend(1), twins, legend(3)],
        source_format="jsonl",
        labels="gold",
        actor=manager,
    )
    assert report["imported"] == 2
    assert report["refused"] == 1
    assert report["spans"] == 10
    assert Span.objects.count() == 10
    assert sorted(project.documents.values_list("external_id", flat=True)) == ["fig-1", "fig-3"]


def test_a_run_that_lost_its_claim_writes_nothing(
    project: Project, legend: Legend, manager: User
) -> None:
    job = Job.objects.create(
        kind="import_documents", state=JobState.RUNNING, token="somebody else's"
    )
    run = JobRun(Job(pk=job.pk, token="mine"))
    with pytest.raises(JobLostError):
        import_documents(
            project=project,
            documents=[legend(1)],
            source_format="jsonl",
            labels="gold",
            actor=manager,
            run=run,
        )
    assert not Document.objects.exists()


def test_the_format_is_detected_and_a_wrong_one_is_refused(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "paper.data"
    path.write_text(GOOD_XML.format(doi="a", id="1"), encoding="utf-8")
    assert run_import(project, path)["formats"] == ["sourcedata-xml"]
    with pytest.raises(CommandError, match=r"not a format; choose one of sourcedata-xml"):
        call_command("import_documents", project.slug, str(path), "--from", "word")
    with pytest.raises(CommandError, match="choose gold, suggestions, none"):
        call_command("import_documents", project.slug, str(path), "--labels", "all")
    with pytest.raises(CommandError, match="Projects: autophagy"):
        call_command("import_documents", "autophagie", str(path))


def test_an_import_leaves_a_job_with_its_report(project: Project, three: Path) -> None:
    report = run_import(project, three)
    job = Job.objects.get(pk=report["job"])
    assert job.kind == "import_documents"
    assert job.scope == project.scope
    assert job.state == JobState.SUCCEEDED
    assert job.is_inline is True
    assert job.result["imported"] == 3


def test_check_annotations_finds_a_corrupted_row_and_names_it(
    project: Project, three: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_import(project, three)
    call_command("check_annotations", "--json")
    assert json.loads(capsys.readouterr().out) == {"documents": 3, "damaged": []}
    Span.objects.filter(surface="LC3", layer__document__external_id="fig-2").update(surface="LC4")
    Document.objects.filter(external_id="fig-3").update(text="Another text.")
    call_command("check_annotations", project.slug, "--json")
    damaged = json.loads(capsys.readouterr().out)["damaged"]
    assert any("Figure 2" in sentence and "surface" in sentence for sentence in damaged)
    assert any(
        "Figure 3" in sentence and "not the one that was imported" in sentence
        for sentence in damaged
    )


@pytest.mark.archive
@pytest.mark.slow
def test_the_real_archive_gives_the_counts_of_its_curators(
    project: Project, sourcedata_zip: Path, manager: User
) -> None:
    report = import_paths(
        project=project, paths=[sourcedata_zip], source_format="", labels="gold", actor=manager
    )
    counts = report["counts"]
    expected = {
        "files": 1878,
        "figures": 12337,
        "figures_without_panels": 107,
        "panels": 55581,
        "panels_without_text": 142,
        "panels_repeated": 339,
    }
    expected |= {
        "tags": 396175,
        "tags_without_text": 4,
        "tags_with_white_space_at_an_end": 9,
        "pretags": 88308,
        "panels_qualifying": 40781,
    }
    expected |= {
        "gold:GENEPROD": 160219,
        "gold:EXP_ASSAY": 69580,
        "gold:SMALL_MOLECULE": 42602,
        "gold:CELL": 34028,
        "gold:ORGANISM": 25956,
    }
    expected |= {
        "gold:SUBCELLULAR": 23878,
        "gold:TISSUE": 21563,
        "gold:DISEASE": 3391,
        "gold:none": 14958,
    }
    assert {name: counts[name] for name in expected} == expected
    assert report["imported"] == counts["documents"] == project.documents.count()
    assert report["problems"] == []
    spans_in_database = Span.objects.filter(
        layer__document__project=project, layer__kind=LayerKind.IMPORTED
    ).count()
    assert spans_in_database == 396175 - 4 - counts.get("tags_on_repeats_dropped", 0)
