"""The practice legend on the review screen, and how its answers compare with the known ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Project
from annotator.review.kinds import OperationKind
from annotator.review.practice.comparison import Line, compare
from annotator.review.practice.legend import N_MISTAKES
from annotator.review.practice.services import Practice, StalePracticeError, practice_labels
from annotator.review.screen.answers import show
from annotator.review.screen.blocks import blocks
from annotator.review.screen.facts import practice_facts, whole_answer
from annotator.review.screen.keymap import KeyMap
from annotator.review.screen.roles import ROLE_NAMES, ROLE_SIGNS
from annotator.review.views.operations import (
    SIGNED_OUT,
    NotJsonError,
    names_what_was_shown,
    read_operation,
)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def practice(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the practice legend as the user left it; a POST starts again."""
    found = _practice(request, slug)
    if request.method == "POST":
        request.session.pop(_name(found.project), None)
        return redirect("review:practice", slug=slug)
    user, document, state = signed_in(request), found.document, found.state
    by_code = {label.code: label for label in found.labels}
    context: dict[str, Any] = {
        "project": found.project,
        "document": document,
        "state": state,
        "labels": found.labels,
        "roles": [(code, ROLE_NAMES[code], sign) for code, sign in ROLE_SIGNS.items()],
        "may_review": True,
        "n_mistakes": N_MISTAKES,
        "blocks": blocks(state, by_code),
        "keymap": KeyMap(user.preferences.get("keys"), n_labels=len(found.labels)),
        "facts": practice_facts(document, state, found.labels, user, history=found.history),
    }
    return render(request, "review/practice.html", context)


@require_POST
def practice_operations(request: HttpRequest, slug: str) -> HttpResponse:
    """Take one operation on the practice legend, as JSON from the page's script."""
    if not request.user.is_authenticated:
        if request.content_type == "application/json":
            return JsonResponse({"sentence": SIGNED_OUT}, status=401)
        return redirect(
            f"{reverse('account_login')}?next={reverse('review:practice', args=[slug])}"
        )
    found = _practice(request, slug)
    try:
        outcome, row = found.apply(names_what_was_shown(read_operation(request.body)))
    except StalePracticeError as error:
        facts = {"sentence": str(error), "theirs": [], "base": [], "holder": ""}
        return JsonResponse({**_whole(found), **facts}, status=409)
    except UserError as error:
        status = 400 if isinstance(error, NotJsonError) else 422
        return JsonResponse({"sentence": str(error)}, status=status)
    if row:
        request.session[_name(found.project)] = [*found.log, row]
    answer = show(outcome)
    if outcome.operation.kind == OperationKind.ACCEPT_LEGEND:
        answer["next"] = reverse("review:practice_result", args=[slug])
    return JsonResponse(answer)


@login_required
@require_GET
@never_cache
def practice_state(request: HttpRequest, slug: str) -> JsonResponse:
    """Answer with the practice legend as it is now."""
    found = _practice(request, slug)
    return JsonResponse({**_whole(found), "history": found.history})


@login_required
@require_GET
@never_cache
def practice_result(request: HttpRequest, slug: str) -> HttpResponse:
    """Compare what the user did with the known answers, once they accepted the legend."""
    found = _practice(request, slug)
    if not found.state.accepted:
        return redirect("review:practice", slug=slug)
    comparison = compare(found.state)
    names = {label.code: label.name.lower() for label in found.labels}
    groups = []
    for title in ("Wrong", "Missed", "Right"):
        lines = getattr(comparison, title.lower())
        groups.append((title, [_words_of(line, names) for line in lines]))
    context = {
        "project": found.project,
        "groups": groups,
        "is_perfect": comparison.is_perfect,
        "n_known": comparison.n_known,
        "n_right": len(comparison.right),
        "n_missed": len(comparison.missed),
        "n_wrong": len(comparison.wrong),
    }
    return render(request, "review/practice_result.html", context)


def _words_of(line: Line, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a line of the comparison in words; "not marked" where one of the two has no entity."""
    yours = known = "not marked"
    if line.entity:
        yours = _marked_as(line.entity.label, line.entity.role, names)
    if line.answer:
        known = _marked_as(line.answer.label, line.answer.role, names)
    if "boundaries" in line.differs and line.answer:
        known = f"“{line.answer.surface}”, {known}"
    facts = {"surface": line.surface, "yours": yours, "known": known}
    return {**facts, "differs": line.differs, "why": line.why}


def _marked_as(label: str, role: str, names: Mapping[str, str]) -> str:
    words = names.get(label, label)
    if role:
        words += f", {ROLE_NAMES[role]}"
    return words


def _practice(request: HttpRequest, slug: str) -> Practice:
    project = project_for(request.user, slug, Action.REVIEW)
    log = request.session.get(_name(project), [])
    return Practice(project, practice_labels(project), signed_in(request).pk, log)


def _name(project: Project) -> str:
    """Return the name under which the session keeps the log."""
    return f"practice-{project.pk}"


def _whole(found: Practice) -> dict[str, Any]:
    state = found.state
    by_code = {label.code: label for label in found.labels}
    return whole_answer(state, blocks(state, by_code))
