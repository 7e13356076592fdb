"""The preferences of a user."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in

THEMES = ("", "light", "dark")


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
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    if is_ours:
        return redirect(target)
    return redirect("dashboard:home")
