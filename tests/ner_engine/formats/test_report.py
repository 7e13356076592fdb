"""Reports: counts, problems, notes and losses of a reader or writer."""

from __future__ import annotations

from ner_engine.formats.report import Problem, Report


def test_a_problem_is_a_sentence_with_its_place() -> None:
    assert str(Problem("in.jsonl, line 2", "it is empty")) == "in.jsonl, line 2: it is empty"


def test_a_new_report_is_empty() -> None:
    assert Report().as_json() == {"counts": {}, "problems": [], "notes": [], "lossy": []}


def test_two_reports_share_nothing() -> None:
    Report().problem("a", "b")
    assert Report().problems == []


def test_problems_notes_and_losses_are_kept_apart() -> None:
    report = Report()
    report.problem("a", "refused")
    report.note("b", "left out")
    report.lose("c", "too long")
    assert report.as_json() == {
        "counts": {"lossy": 1},
        "problems": ["a: refused"],
        "notes": ["b: left out"],
        "lossy": ["c: too long"],
    }


def test_counts_are_sorted_by_name() -> None:
    report = Report()
    report.counts.update(["refused", "files", "files"])
    assert list(report.as_json()["counts"].items()) == [("files", 2), ("refused", 1)]


def test_only_losses_are_counted() -> None:
    report = Report()
    report.problem("a", "refused")
    report.note("b", "left out")
    assert report.counts == {}


def test_a_receiver_of_losses_gets_them_instead_of_the_list() -> None:
    received: list[Problem] = []
    report = Report(on_loss=received.append)
    report.lose("c", "too long")
    report.lose("d", "too long")
    assert received == [Problem("c", "too long"), Problem("d", "too long")]
    assert report.lossy == []
    assert report.counts["lossy"] == 2
