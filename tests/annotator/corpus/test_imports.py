"""Import: what is stored, and what is skipped."""

from __future__ import annotations

import dataclasses
import io
import json
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
from tests.annotator.corpus.runs import GOOD_XML, run_import, write_jsonl

pytestmark = pytest.mark.django_db
Legend = Callable[[int], schema.Document]


def test_gold_labels_make_an_accepted_legend(project: Project, three: Path, legend: Legend) -> None:
    run_import(project, three, labels="gold")
    document = project.documents.get(external_id="fig-1")
    assert document.state == "accepted"
    assert document.figure_label == "Figure 1"
    assert document.text == legend(1).text
    assert document.n_panels == 2


def test_the_report_counts_legends_panels_and_entities(project: Project, three: Path) -> None:
    report = run_import(project, three, labels="gold")
    assert report["imported"] == 3
    assert report["already_there"] == 0
    assert report["accepted"] == 3
    assert report["panels"] == 6
    assert report["spans"] == 15
    assert report["n_problems"] == 0


def test_gold_labels_become_accepted_entities(project: Project, three: Path) -> None:
    run_import(project, three, labels="gold")
    layer = project.documents.get(external_id="fig-1").layers.get()
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


def test_the_format_is_detected_from_the_content(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "paper.data"
    path.write_text(GOOD_XML.format(doi="a", id="1"), encoding="utf-8")
    assert run_import(project, path)["formats"] == ["sourcedata-xml"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from", "word"], "not a format; choose one of sourcedata-xml"),
        (["--labels", "all"], "choose gold, suggestions, none"),
    ],
)
def test_a_wrong_option_is_refused_with_the_choices(
    options: list[str], sentence: str, project: Project, three: Path
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("import_documents", project.slug, str(three), *options)


def test_an_unknown_project_is_refused_with_the_known_ones(project: Project, three: Path) -> None:
    with pytest.raises(CommandError, match="Projects: autophagy"):
        call_command("import_documents", "autophagie", str(three))


def test_an_import_leaves_a_job_with_its_report(project: Project, three: Path) -> None:
    report = run_import(project, three)
    job = Job.objects.get(pk=report["job"])
    assert job.kind == "import_documents"
    assert job.scope == project.scope
    assert job.state == JobState.SUCCEEDED
    assert job.is_inline is True
    assert job.result["imported"] == 3


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
