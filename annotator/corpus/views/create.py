"""The page that creates a project."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.forms import ProjectForm
from annotator.corpus.services import create_project, refuse_to_create_project


@login_required
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Create a project; the user who creates it becomes its manager."""
    user = signed_in(request)
    refuse_to_create_project(user)
    form = ProjectForm()
    if request.method == "POST":
        form = ProjectForm(request.POST)
    if form.is_valid():
        try:
            project = create_project(**form.cleaned_data, actor=user)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{project.name} was created. Import legends to begin.")
            return redirect("corpus:import_documents", project.slug)
    return render(request, "corpus/create.html", {"form": form}, status=422 if form.errors else 200)
