"""Entries of a project's memory."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from annotator.review.memory.rule import MAX_SURFACE, ProposalKind
from annotator.review.models import MemoryEntry


class MemoryEntrySerializer(serializers.ModelSerializer[MemoryEntry]):
    """What the memory proposes for a string that is suggested with a label."""

    n_kept = serializers.IntegerField(
        read_only=True, help_text="How often the suggestion was kept, here or in imported labels."
    )
    changed_by = serializers.CharField(
        source="changed_by.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = MemoryEntry
        fields = [
            "id",
            "surface",
            "label",
            "proposal",
            "proposed",
            "n_against",
            "n_legends",
            "n_kept",
            "by_hand",
            "is_off",
            "changed_at",
            "changed_by",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "proposed": {"help_text": "The new label or the new string; empty for a rejection."},
            "n_against": {"help_text": "Decisions that did not keep the suggestion."},
            "n_legends": {"help_text": "Accepted legends with such decisions."},
            "by_hand": {"help_text": "A manager entered the proposal."},
            "is_off": {"help_text": "The entry proposes nothing."},
        }


class NewMemoryEntrySerializer(serializers.Serializer[Any]):
    surface = serializers.CharField(
        max_length=MAX_SURFACE, help_text="The string, exactly as it is written."
    )
    label = serializers.CharField(help_text="The label that it is suggested with.")  # type: ignore[assignment]
    proposal = serializers.ChoiceField(choices=ProposalKind.choices)
    proposed = serializers.CharField(
        max_length=MAX_SURFACE,
        default="",
        allow_blank=True,
        help_text="The new label or the new string; empty for a rejection.",
    )


class SwitchMemoryEntrySerializer(serializers.Serializer[Any]):
    is_off = serializers.BooleanField()
