"""Admin pages of the learning loop: how they answer to errors, and where they lead back to."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import PERMISSIONS, Action
from annotator.corpus.admin.pages import View
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.learning.models import ModelVersion
from ner_engine.errors import EngineError

#: Errors whose sentence is meant for the user.
_FOR_USERS: Final = (UserError, EngineError)


# Errors


def errors_as_messages(go_to: Callable[..., HttpResponse]) -> Callable[[View], View]:
    """Decorate a page so that errors meant for the user become messages on the page ``go_to``.

    ``go_to`` is called with the request and what the URL holds, and returns a redirect.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(
            model_admin: ProjectRowsAdmin, request: HttpRequest, **from_url: Any
        ) -> HttpResponseBase:
            try:
                return view(model_admin, request, **from_url)
            except _FOR_USERS as error:
                messages.error(request, str(error))
                return go_to(request, **from_url)

        return guarded

    return decorate


class errors_on_form:  # noqa: N801 - used as a function
    """Context manager that puts errors meant for the user on the form instead of raising them."""

    def __init__(self, form: forms.Form) -> None:
        self._form = form

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, _FOR_USERS):
            return False
        self._form.add_error(None, str(error))
        return True


def status_of(form: forms.Form) -> int:
    """Return the HTTP status of a page with this form."""
    if form.errors:
        return 422
    return 200


# Requests and redirects


def number_in(value: str | None) -> int:
    """Return the number in a request parameter, or 0 if it holds anything else."""
    if value and value.isdecimal() and len(value) < 19:
        return int(value)
    return 0


def projects_for(request: HttpRequest, action: Action) -> QuerySet[Project]:
    """Return the projects in which the user has the right to ``action``."""
    user = signed_in(request)
    projects = Project.objects.filter(archived_at=None)
    if user.is_superuser:
        return projects
    roles = [role for role, actions in PERMISSIONS.items() if action in actions]
    return projects.filter(memberships__user=user, memberships__role__in=roles)


def back_to_page(
    request: HttpRequest, pk: int | None = None, project_id: int | None = None
) -> HttpResponse:
    """Redirect to the page whose button was pressed: a run's, else a model's, else the models.

    ``pk`` is the key of the model to show if the button was not on the page of a run.
    """
    if run := number_in(request.POST.get("run")):
        return redirect("admin:learning_trainingrun_change", run)
    if model := pk or number_in(request.POST.get("model")):
        return redirect("admin:learning_modelversion_change", model)
    return redirect("admin:learning_modelversion_changelist")


def back_to_model(request: HttpRequest, pk: int) -> HttpResponse:
    """Redirect to the page of the model."""
    return redirect("admin:learning_modelversion_change", pk)


def back_to_page_of(request: HttpRequest, model: ModelVersion) -> HttpResponse:
    """Redirect as ``back_to_page``, to the page of ``model`` if no run's page was left."""
    return back_to_page(request, pk=model.pk)
