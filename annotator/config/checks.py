"""System checks of the configuration.

``manage.py check`` runs them at every start, and ``check --deploy`` before a deployment.
"""

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
    """Check that the site can write to SD_VAR, which holds everything that it writes."""
    folder = Path(settings.VAR_DIR)
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The site cannot write to the folder {folder}.",
            hint="Make the user that runs the site its owner, or set SD_VAR to another folder.",
            id="sd.E001",
        )
    ]


@register(Tags.database)
def sqlite_uses_wal(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Check that SQLite uses write-ahead logging; without it readers wait for writers."""
    if not databases or connection.vendor != "sqlite":
        return []
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            mode = cursor.fetchone()[0]
    except DatabaseError as error:
        return [
            Error(
                f"The database cannot be opened ({error}).",
                hint="Check SD_VAR and DATABASE_URL.",
                id="sd.E002",
            )
        ]
    if mode == "wal":
        return []
    hint = (
        "Move SD_VAR to a local disk (network file systems have no shared memory), or set"
        " DATABASE_URL to a PostgreSQL database."
    )
    return [
        Warning(
            f'SQLite uses journal mode "{mode}" instead of WAL, so pages wait for imports.',
            hint=hint,
            id="sd.W001",
        )
    ]


@register(Tags.security)
def no_debug_in_the_open(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that a public site does not show debug pages, which contain settings and texts."""
    if settings.DEBUG and settings.SESSION_COOKIE_SECURE:
        return [
            Error(
                "SD_DEBUG is set although the site uses https.",
                hint="Unset SD_DEBUG: its error pages show data to everybody.",
                id="sd.E003",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def secret_is_strong(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the length of the secret key, which signs sessions."""
    if len(settings.SECRET_KEY) >= _MIN_SECRET_LENGTH and len(set(settings.SECRET_KEY)) > 8:
        return []
    hint = (
        "Set SD_SECRET_KEY to at least 40 random characters, or unset it: then the site generates"
        " one and stores it under SD_VAR."
    )
    return [Error("SD_SECRET_KEY is too short or too simple.", hint=hint, id="sd.E004")]


@register(Tags.security, deploy=True)
def hosts_are_named(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that the site's names are listed, and that it uses https."""
    warnings: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        warnings.append(
            Warning(
                "SD_ALLOWED_HOSTS allows every host name.",
                hint="List the names of the site.",
                id="sd.W002",
            )
        )
    if not settings.SESSION_COOKIE_SECURE:
        hint = (
            "Use a proxy with https and set SD_HTTPS=true. Otherwise passwords are sent"
            " unencrypted."
        )
        warnings.append(Warning("SD_HTTPS is not set.", hint=hint, id="sd.W003"))
    return warnings


@register(deploy=True)
def stores_fit_several_machines(
    app_configs: Sequence[AppConfig] | None, **_: Any
) -> list[CheckMessage]:
    """Check that PostgreSQL comes with Redis; the embedded broker serves one machine only."""
    if settings.REDIS_URL or connection.vendor == "sqlite":
        return []
    hint = "Set REDIS_URL if workers run on other machines, which cannot reach the embedded broker."
    return [Warning("PostgreSQL is used with the embedded broker.", hint=hint, id="sd.W004")]
