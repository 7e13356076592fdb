"""The result of a search for label errors: the ranking, and sending legends to review."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.learning.admin.pages import errors_as_messages
from annotator.learning.forms.series import SendForm
from annotator.learning.models import TrainingSeries
from annotator.learning.stored import LabelErrorsResult
from annotator.learning.training import label_errors

#: The number of legends that the form proposes to send to review.
PROPOSED: Final = 50
_MAX_PAGE_DIGITS: Final = 6


def label_errors_context(request: HttpRequest, series: TrainingSeries) -> dict[str, Any]:
    """Return what the page of a finished search shows."""
    result = LabelErrorsResult.of(series)
    return {
        "result": result,
        **_ranking(series, request.GET.get("page", "")),
        "shown": label_errors.SHOWN,
        "kinds": list(label_errors.KINDS.values()),
        "table": label_errors.table_by_label(result),
        "outcome": label_errors.outcome_of(series),
        "n_proposed": min(PROPOSED, result.legends),
    }


def _ranking(series: TrainingSeries, number: str) -> dict[str, Any]:
    """Return a page of the ranking, or the sentence that says why there is none."""
    page = 1
    if number.isdecimal() and len(number) <= _MAX_PAGE_DIGITS:
        page = int(number)
    try:
        return {"ranked": label_errors.ranked(series, page)}
    except UserError as error:
        return {"ranked": None, "gone": str(error)}


def _back_to_series(request: HttpRequest, pk: int) -> HttpResponse:
    return redirect("admin:learning_trainingseries_change", pk)


@errors_as_messages(go_to=_back_to_series)
def send_to_review(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Send the legends with the likeliest label errors to review."""
    series = model_admin.row(request, pk)
    form = SendForm(request.POST)
    if not form.is_valid():
        raise UserError("The number of legends to send must be 1 or more.")
    sent = label_errors.send_to_review(
        series=series, n=form.cleaned_data["n"], actor=signed_in(request)
    )
    messages.success(request, f"{sent} Curators find them in the queue, under “Label errors”.")
    return _back_to_series(request, pk)
