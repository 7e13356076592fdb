"""The layout of the admin site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def unfold_settings() -> dict[str, Any]:
    """Return the settings of Unfold, the admin's theme."""
    return {
        "SITE_TITLE": "sd-curator",
        "SITE_HEADER": "sd-curator",
        "SITE_URL": "/",
        "SITE_FAVICONS": [
            {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("css/mark.svg")}
        ],
        "SHOW_HISTORY": False,
        "DASHBOARD_CALLBACK": "annotator.learning.admin.add_overview",
        "STYLES": [
            lambda request: static("css/tokens.css"),
            lambda request: static("css/admin.css"),
        ],
        "BORDER_RADIUS": "6px",
        "COLORS": {"primary": _BLUES},
        "SIDEBAR": {
            "navigation": [
                _group(
                    "Learning",
                    ("Training runs", "model_training", "learning_trainingrun"),
                    ("Models", "network_intelligence", "learning_modelversion"),
                    ("Snapshots", "photo_library", "datasets_snapshot"),
                    ("Label errors, learning curves", "query_stats", "learning_trainingseries"),
                    ("Promotions", "swap_vert", "learning_promotion"),
                ),
                _group(
                    "Texts",
                    ("Projects", "folder_open", "corpus_project"),
                    ("Legends", "article", "corpus_document"),
                    ("Labels", "label", "corpus_labelset", _is_superuser),
                    ("Dictionaries", "dictionary", "lookup_dictionary", _may_import),
                ),
                _group(
                    "Work",
                    ("Jobs", "pending_actions", "jobs_job", _is_superuser),
                    ("Workers", "memory", "jobs_worker", _is_superuser),
                ),
                _group(
                    "People",
                    ("Users", "group", "accounts_user", _is_superuser),
                    ("API tokens", "key", "accounts_apitoken", _is_superuser),
                ),
            ]
        },
    }


#: The site's blue (static/css/tokens.css), from light to dark.
_BLUES = {
    "50": "240 245 253",
    "100": "225 234 250",
    "200": "197 215 245",
    "300": "160 191 238",
    "400": "141 180 245",
    "500": "62 113 186",
    "600": "44 90 160",
    "700": "34 74 135",
    "800": "30 62 112",
    "900": "27 51 92",
    "950": "18 34 62",
}


def _group(title: str, *items: tuple[Any, ...]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": [_item(*item) for item in items]}


def _item(
    title: str, icon: str, model: str, may_see: Callable[[HttpRequest], bool] | None = None
) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model}_changelist"),
        "permission": may_see or _is_staff,
    }


def _is_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_staff", False))


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _may_import(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("lookup.import_dictionary"))
