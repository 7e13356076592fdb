"""The guides, readable on the site."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.accounts.users import signed_in
from annotator.dashboard.guides import is_for_staff, read_guide


@login_required
@require_GET
def guide_contents(request: HttpRequest) -> HttpResponse:
    """Show which guides there are."""
    return _show(request, "")


@login_required
@require_GET
def guide(request: HttpRequest, name: str) -> HttpResponse:
    """Show one guide; those for administrators only to staff."""
    return _show(request, name)


def _show(request: HttpRequest, name: str) -> HttpResponse:
    is_staff = signed_in(request).is_staff
    if is_for_staff(name) and not is_staff:
        raise PermissionDenied("Only administrators of the site can read this guide.")
    found = read_guide(name, is_staff=is_staff)
    if found is None:
        raise Http404
    return render(request, "dashboard/guide.html", {"guide": found})
