"""System checks that say what to do. ``manage.py check`` runs them at every start, ``check
--deploy`` before a deployment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

_MIN_SECRET_LENGTH = 40


@register(Tags.files)
def folder_is_writable(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Everything the site writes lies under SD_VAR."""
    folder = Path(settings.VAR_DIR)
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The folder {folder} cannot be written to.",
            hint="Give it to the user that runs the site, or name another in SD_VAR.",
            id="sd.E001",
        )
    ]


@register(Tags.database)
def sqlite_uses_wal(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Without write-ahead logging every reader waits for every writer."""
    if not databases or connection.vendor != "sqlite" or connection.is_in_memory_db():  # type: ignore[attr-defined]
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            mode = cursor.fetchone()[0]
    except DatabaseError as error:
        return [
            Error(
                f"The database cannot be opened ({error}).",
                hint="Look at SD_VAR and DATABASE_URL.",
                id="sd.E002",
            )
        ]
    if mode == "wal":
        return []
    hint = (
        "Put SD_VAR on a local disk (network file systems have no shared memory), or use PostgreSQL"
        " by DATABASE_URL."
    )
    return [
        Warning(
            f'SQLite runs in journal mode "{mode}" instead of WAL; pages will wait for imports.',
            hint=hint,
            id="sd.W001",
        )
    ]


@register(Tags.security)
def no_debug_in_the_open(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Debug pages show settings and texts."""
    if settings.DEBUG and settings.SESSION_COOKIE_SECURE:
        return [
            Error(
                "SD_DEBUG is on at a site that is reached by https.",
                hint="Unset SD_DEBUG: its error pages show data to anybody.",
                id="sd.E003",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def secret_is_strong(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Sessions and tokens are signed with it."""
    if len(settings.SECRET_KEY) >= _MIN_SECRET_LENGTH and len(set(settings.SECRET_KEY)) > 8:
        return []
    hint = (
        "Set SD_SECRET_KEY to at least 40 random characters, or unset it: then one is made and kept"
        " under SD_VAR."
    )
    return [Error("SD_SECRET_KEY is too short or too simple.", hint=hint, id="sd.E004")]


@register(Tags.security, deploy=True)
def hosts_are_named(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Warning(
                "SD_ALLOWED_HOSTS lets every name in.",
                hint="List the names by which people reach the site.",
                id="sd.W002",
            )
        )
    if not settings.SESSION_COOKIE_SECURE:
        hint = (
            "Put a proxy with https in front and set SD_HTTPS=true: passwords travel in the clear"
            " otherwise."
        )
        found.append(
            Warning("The site does not know that it is reached by https.", hint=hint, id="sd.W003")
        )
    return found


@register(deploy=True)
def stores_fit_several_machines(
    app_configs: Sequence[AppConfig] | None, **_: Any
) -> list[CheckMessage]:
    """SQLite and the embedded broker serve one machine."""
    if settings.REDIS_URL or connection.vendor == "sqlite":
        return []
    hint = (
        "Set REDIS_URL if workers run on other machines; the embedded broker serves this one only."
    )
    return [Warning("PostgreSQL is used with the embedded broker.", hint=hint, id="sd.W004")]
