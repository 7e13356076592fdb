"""Admin pages as plain functions in a list of URLs.

A page is a function ``page(model_admin, request, **from_url)``. A ``ModelAdmin`` lists its pages
and adds ``page_urls(self, PAGES)`` to its own URLs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from annotator.corpus.admin.rows import ProjectRowsAdmin

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class AdminPage:
    """A page, its route below the model's own, and the last part of its URL name."""

    route: str
    view: View
    name: str
    is_post_only: bool = False


def page_urls(model_admin: ProjectRowsAdmin, pages: Sequence[AdminPage]) -> list[URLPattern]:
    """Return the URL patterns of the pages, named ``app_model_page`` as Django's own are."""
    options = model_admin.opts
    patterns = []
    for page in pages:
        view: View = partial(page.view, model_admin)
        if page.is_post_only:
            view = require_POST(view)
        name = f"{options.app_label}_{options.model_name}_{page.name}"
        patterns.append(path(page.route, model_admin.admin_site.admin_view(view), name=name))
    return patterns
