"""The history of a legend."""

from __future__ import annotations

from annotator.review.editing.history import Logged, history


def test_history_knows_what_can_be_undone_and_redone() -> None:
    log = [
        Logged(name, kind, 1)
        for name, kind in (
            ("a", "add"),
            ("b", "relabel"),
            ("u1", "undo"),
            ("u2", "undo"),
            ("r1", "redo"),
        )
    ]
    done, undone = history(log)
    assert [operation.id for operation in done] == ["a"]
    assert [operation.id for operation in undone] == ["b"]
    done, undone = history([*log, Logged("c", "accept", 1)])
    assert [operation.id for operation in done] == ["a", "c"]
    assert undone == []
