"""How admin pages find what they are about, redirect, and answer to errors."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from annotator.common.errors import UserError
from annotator.learning.admin.pages import (
    back_to_page,
    errors_as_messages,
    errors_on_form,
    number_in,
)
from ner_engine.errors import EngineError


def posted(**data: object) -> HttpRequest:
    request = RequestFactory().post("/", data)
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    return request


def elsewhere(request: HttpRequest, **from_url: Any) -> HttpResponse:
    return HttpResponse(f"elsewhere {from_url}")


@pytest.mark.parametrize(
    ("value", "number"),
    [("12", 12), (None, 0), ("", 0), ("-1", 0), ("1.5", 0), ("x", 0), ("9" * 19, 0)],
)
def test_anything_but_a_key_counts_as_0(value: str | None, number: int) -> None:
    assert number_in(value) == number


@pytest.mark.parametrize("error", [UserError("Too late."), EngineError("Too late.")])
def test_an_error_for_users_becomes_a_message(error: Exception) -> None:
    @errors_as_messages(go_to=elsewhere)
    def page(model_admin: object, request: HttpRequest, pk: int) -> HttpResponse:
        raise error

    request = posted()
    assert page(None, request, pk=3).content == b"elsewhere {'pk': 3}"
    assert [str(message) for message in get_messages(request)] == ["Too late."]


def test_other_errors_are_not_swallowed() -> None:
    @errors_as_messages(go_to=elsewhere)
    def page(model_admin: object, request: HttpRequest) -> HttpResponse:
        raise ValueError

    with pytest.raises(ValueError):
        page(None, posted())


def test_a_page_without_an_error_answers_itself() -> None:
    @errors_as_messages(go_to=elsewhere)
    def page(model_admin: object, request: HttpRequest) -> HttpResponse:
        return HttpResponse("here")

    assert page(None, posted()).content == b"here"


def test_an_error_for_users_is_put_on_the_form() -> None:
    form = forms.Form({})
    with errors_on_form(form):
        raise UserError("Too late.")
    assert form.non_field_errors() == ["Too late."]


def test_a_form_does_not_swallow_other_errors() -> None:
    with pytest.raises(ValueError), errors_on_form(forms.Form({})):
        raise ValueError


def test_a_button_on_a_runs_page_leads_back_to_the_run() -> None:
    answer = back_to_page(posted(run=5, model=6), pk=7)
    assert answer["Location"] == "/admin/learning/trainingrun/5/change/"


def test_a_button_elsewhere_leads_to_the_model_it_changed() -> None:
    answer = back_to_page(posted(model=6), pk=7)
    assert answer["Location"] == "/admin/learning/modelversion/7/change/"


def test_a_button_that_changed_no_model_leads_to_its_own_page() -> None:
    answer = back_to_page(posted(model=6), project_id=1)
    assert answer["Location"] == "/admin/learning/modelversion/6/change/"


def test_a_button_of_no_page_leads_to_the_list_of_models() -> None:
    assert back_to_page(posted())["Location"] == "/admin/learning/modelversion/"
