"""Errors of the engine: their messages name the place."""

from __future__ import annotations

import inspect

import pytest

from ner_engine import errors
from ner_engine.errors import EngineError, FormatError, UnreadableError


def test_a_message_begins_with_its_place() -> None:
    error = FormatError("it is empty", where="in.jsonl, line 2")
    assert str(error) == "in.jsonl, line 2: it is empty"
    assert error.message == "it is empty"
    assert error.where == "in.jsonl, line 2"


def test_a_format_error_needs_no_place() -> None:
    assert str(FormatError("it is empty")) == "it is empty"


def test_an_unreadable_input_has_a_place() -> None:
    error = UnreadableError("it is locked", where="a.zip/b.xml")
    assert str(error) == "a.zip/b.xml: it is locked"


@pytest.mark.parametrize("kind", [each for _, each in inspect.getmembers(errors, inspect.isclass)])
def test_every_error_can_be_caught_as_an_engine_error(kind: type[Exception]) -> None:
    assert issubclass(kind, EngineError)
