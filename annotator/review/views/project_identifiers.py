"""The page of a project's identifiers: what is missing, inconsistent, obsolete or unknown."""

from __future__ import annotations

from collections import Counter
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator.corpus.access import Action, project_for
from annotator.lookup.catalogue import current_dictionaries
from annotator.review.second_look.identifier_problems import (
    ProblemKind,
    identifier_problems,
    names_of_legends,
)

#: Problems of one kind that the page shows.
SHOWN: Final = 200


@login_required
@require_safe
@never_cache
def project_identifiers(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the problems of one kind, with links to the legends."""
    project = project_for(request.user, slug, Action.VIEW)
    problems = identifier_problems(project)
    counts = Counter(problem.kind for problem in problems)
    wanted = request.GET.get("kind", "")
    if wanted not in ProblemKind.values:
        wanted = next((kind for kind in ProblemKind if counts[kind]), ProblemKind.MISSING)
    shown = [problem for problem in problems if problem.kind == wanted][:SHOWN]
    names = names_of_legends(shown)
    labels = dict(project.label_set.labels.values_list("code", "name"))
    rows = []
    for problem in shown:
        ways = [(usage, names.get(usage.first, "")) for usage in problem.usages]
        rows.append((problem, labels.get(problem.label, problem.label), ways))
    context = {
        "project": project,
        "kind": ProblemKind(wanted),
        "tabs": [(kind, counts[kind]) for kind in ProblemKind],
        "rows": rows,
        "n_more": counts[ProblemKind(wanted)] - len(shown),
        "required": [labels.get(code, code) for code in project.identifier_labels],
        "dictionaries": current_dictionaries(),
    }
    return render(request, "review/project_identifiers.html", context)
