"""The layout of the admin site."""

from __future__ import annotations

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
                    ("Labels", "label", "corpus_labelset", True),
                ),
                _group(
                    "Work",
                    ("Jobs", "pending_actions", "jobs_job", True),
                    ("Workers", "memory", "jobs_worker", True),
                ),
                _group(
                    "People",
                    ("Users", "group", "accounts_user", True),
                    ("API tokens", "key", "accounts_apitoken", True),
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


def _item(title: str, icon: str, model: str, for_superusers: bool = False) -> dict[str, Any]:
    item = {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}
    if for_superusers:
        return item | {"permission": _is_superuser}
    return item | {"permission": _is_staff}


def _is_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_staff", False))


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
