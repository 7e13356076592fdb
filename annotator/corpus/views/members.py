"""The members of a project."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for
from annotator.corpus.forms import MemberForm
from annotator.corpus.models import Role
from annotator.corpus.services import add_member, remove_member


@login_required
@require_http_methods(["GET", "POST"])
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """List the members; POST adds one or changes a role."""
    found = project_for(request.user, slug, Action.MANAGE)
    form = MemberForm()
    if request.method == "POST":
        form = MemberForm(request.POST)
    if form.is_valid():
        person, role = form.cleaned_data["person"], form.cleaned_data["role"]
        try:
            add_member(project=found, user=person, role=role, actor=signed_in(request))
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{person} is now {Role(role).label.lower()}.")
            return redirect("corpus:members", found.slug)
    rows = found.memberships.select_related("user").order_by("user__username")
    context = {"project": found, "form": form, "memberships": rows, "roles": Role.choices}
    return render(request, "corpus/members.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def members_remove(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """Remove a member from the project."""
    found = project_for(request.user, slug, Action.MANAGE)
    membership = get_object_or_404(found.memberships.select_related("user"), user_id=user_id)
    try:
        remove_member(project=found, user=membership.user, actor=signed_in(request))
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{membership.user} is no longer a member.")
    if membership.user_id == signed_in(request).pk:
        return redirect("dashboard:home")
    return redirect("corpus:members", found.slug)
