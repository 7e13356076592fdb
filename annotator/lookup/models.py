"""Imported dictionaries. Their entries lie in files; a row says which file is current."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.lookup.databases import Database, database_with_key


class DictionaryQuerySet(models.QuerySet["Dictionary"]):
    def current(self) -> DictionaryQuerySet:
        return self.filter(replaced_at=None)


class Dictionary(models.Model):
    """One version of a database's entries, or of a part of them such as one species.

    ``database`` is a key of ``databases``. Of each database and ``name`` one version is current;
    those before it stay as rows, without their files. ``file`` is the name of the file in
    DICTIONARIES_DIR, ``source`` that of the imported one, with the SHA-256 of its bytes.
    ``problems`` holds the first of ``n_problems`` refused lines.
    """

    database = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    version = models.CharField(max_length=100, blank=True)
    file = models.CharField(max_length=100, unique=True)
    source = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    n_entries = models.PositiveIntegerField(default=0)
    n_names = models.PositiveIntegerField(default=0)
    n_obsolete = models.PositiveIntegerField(default=0)
    n_problems = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list, blank=True)
    imported_at = models.DateTimeField(auto_now_add=True)
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    replaced_at = models.DateTimeField(null=True, blank=True)

    objects = DictionaryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "dictionaries"
        ordering = ["database", "name", "-id"]
        permissions = [("import_dictionary", "Can import dictionaries of identifiers")]
        constraints = [
            models.UniqueConstraint(
                fields=["database", "name"],
                condition=Q(replaced_at=None),
                name="one_current_dictionary_of_a_name",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    @property
    def path(self) -> Path:
        return Path(settings.DICTIONARIES_DIR) / self.file

    @property
    def of(self) -> Database:
        """The database whose entries these are."""
        database = database_with_key(self.database)
        if database is None:
            raise ValueError(f"no database has the key {self.database!r}")
        return database
