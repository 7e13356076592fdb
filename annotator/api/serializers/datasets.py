"""Imports, exports and snapshots."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from annotator.corpus.imports import FileLabels
from annotator.corpus.models import DecisionKind
from annotator.datasets.models import Snapshot
from ner_engine.formats import FORMATS


class ImportRequestSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(
        child=serializers.FileField(), min_length=1, help_text="Files or zips, one or several."
    )
    source_format = serializers.ChoiceField(
        choices=sorted(FORMATS),
        required=False,
        default="",
        allow_blank=True,
        help_text="Detected if not given.",
    )
    labels = serializers.ChoiceField(
        choices=[each.value for each in FileLabels],
        default=FileLabels.GOLD.value,
        help_text="Import labels as gold, as suggestions, or not at all.",
    )


class ExportRequestSerializer(serializers.Serializer[Any]):
    format = serializers.ChoiceField(
        choices=sorted(form.name for form in FORMATS.values() if form.is_writable)
    )
    public_form = serializers.BooleanField(
        default=False, help_text="sd-nlp as the public converter writes it."
    )
    leave_out_damaged = serializers.BooleanField(
        default=False, help_text="Name damaged legends in the report instead of refusing."
    )


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    created_by = serializers.CharField(
        source="created_by.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = Snapshot
        fields = [
            "number",
            "note",
            "state",
            "filters",
            "rules",
            "split_rule",
            "tokenizer_version",
            "content_hash",
            "counts",
            "report",
            "error",
            "created_by",
            "created_at",
        ]
        read_only_fields = fields


class NewSnapshotSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    accepted_from = serializers.DateField(
        required=False,
        default=None,
        allow_null=True,
        help_text="Legends accepted on this day or later.",
    )
    accepted_to = serializers.DateField(
        required=False,
        default=None,
        allow_null=True,
        help_text="Legends accepted on this day or earlier.",
    )
    curators = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        default=list,
        help_text="Usernames of the people who accepted the legends.",
    )
    labels = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        default=list,
        help_text="Only entities of these labels.",
    )
    decisions = serializers.ListField(
        child=serializers.ChoiceField(choices=DecisionKind.values),
        required=False,
        default=list,
        help_text="Only panels whose entities were all decided in these ways.",
    )
