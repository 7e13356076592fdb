"""The page of a person's own keys."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.review.screen.keymap import KeyMap, read_own


@login_required
@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """Show and change the user's own keys for the review screen."""
    user = signed_in(request)
    fields = request.POST
    problem = ""
    if request.method == "POST":
        try:
            own = {} if "reset" in fields else read_own(fields)
        except UserError as error:
            problem = str(error)
        else:
            user.preferences = {**user.preferences, "keys": own}
            user.save(update_fields=["preferences"])
            messages.success(request, "Your keys are saved." if own else "The keys are reset.")
            return redirect("keys")
    table = KeyMap(user.preferences.get("keys"))
    typed = {}
    for command in table.commands:
        typed[command.name] = fields.get(command.name, " ".join(command.keys))
    groups = []
    for name, commands in table.groups:
        groups.append((name, [(command, typed[command.name]) for command in commands]))
    return render(
        request,
        "review/keys.html",
        {"groups": groups, "problem": problem},
        status=422 if problem else 200,
    )
