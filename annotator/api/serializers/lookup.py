"""Entries of dictionaries, and problems with identifiers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from annotator.api.serializers.corpus import IdentifierSerializer
from annotator.review.second_look.identifier_problems import ProblemKind


class FoundSerializer(serializers.Serializer[Any]):
    """An entry of a dictionary that a search has found."""

    identifier = IdentifierSerializer()
    how = serializers.CharField(help_text="How the name matches, such as exact or similar.")
    name = serializers.CharField(
        allow_blank=True, help_text="The synonym by which it was found; empty for its own name."
    )
    is_obsolete = serializers.BooleanField()
    replaced_by = serializers.CharField(
        allow_blank=True, help_text="The id of the entry that stands for an obsolete one."
    )


class UsageSerializer(serializers.Serializer[Any]):
    identifiers = IdentifierSerializer(many=True)
    n = serializers.IntegerField(help_text="Entities that are identified so.")
    first_legend = serializers.IntegerField(source="first")
    last_legend = serializers.IntegerField(source="last")


class IdentifierProblemSerializer(serializers.Serializer[Any]):
    """One problem with the identifiers of a string."""

    kind = serializers.ChoiceField(choices=ProblemKind.choices)
    surface = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    n = serializers.IntegerField(help_text="Entities with the problem.")
    detail = serializers.CharField(source="says", allow_blank=True)
    usages = UsageSerializer(many=True)
