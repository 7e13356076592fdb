"""The preferences of a user."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in

THEMES = ("", "light", "dark")
TOURS = ("done", "again")


@login_required
@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Set the theme ("" follows the system) and return to the page that the user was on."""
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        return HttpResponseBadRequest("There is no such theme.")
    user = signed_in(request)
    user.preferences["theme"] = theme
    user.save(update_fields=["preferences"])
    return _back(request)


@login_required
@require_POST
def preferences_tour(request: HttpRequest) -> HttpResponse:
    """Remember that the user did the tour of the review screen, or show it again ("again").

    Without script, which opens it at once, it starts when the user opens a legend.
    """
    asked = request.POST.get("tour", "")
    if asked not in TOURS:
        return HttpResponseBadRequest("Say whether the tour is done or wanted again.")
    user = signed_in(request)
    user.preferences["tour"] = asked
    user.save(update_fields=["preferences"])
    if asked == "done":
        return HttpResponse(status=204)
    messages.success(request, "The tour starts when you next open a legend.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page that the user was on."""
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    if is_ours:
        return redirect(target)
    return redirect("dashboard:home")
