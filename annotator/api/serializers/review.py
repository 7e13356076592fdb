"""Legends, operations and leases."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from annotator.api.serializers.corpus import IdentifierSerializer, PanelSerializer
from annotator.corpus.models import DocumentState, Verdict
from annotator.review.memory.rule import ProposalKind
from annotator.review.models import Operation, OperationKind


class ProposalSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=ProposalKind.choices)
    value = serializers.CharField(
        allow_blank=True, help_text="The new label or the new string; empty for a rejection."
    )
    says = serializers.CharField(help_text="Why it is proposed.")


class EntitySerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="Stable key of the entity; it survives every edit.")
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    surface = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    role = serializers.CharField(allow_blank=True)
    score = serializers.FloatField(allow_null=True)
    status = serializers.ChoiceField(choices=["suggested", "decided", "rejected"])
    verdict = serializers.ChoiceField(choices=Verdict.choices, allow_blank=True)
    decision = serializers.CharField(allow_blank=True)
    identifiers = IdentifierSerializer(many=True)
    memory = ProposalSerializer(
        allow_null=True,
        help_text="What the project's memory proposes for a suggestion. Accepting the legend"
        " leaves such a suggestion out.",
    )


class LegendSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    revision = serializers.IntegerField(help_text="Send it as base_revision of the next operation.")
    state = serializers.ChoiceField(choices=DocumentState.choices)
    text = serializers.CharField()
    suggested_by = serializers.CharField(allow_blank=True)
    suggestions = serializers.IntegerField(
        help_text="The id of the suggestions, 0 for none. Send it with the next operation."
    )
    holder = serializers.CharField(allow_null=True, help_text="The user who holds the legend now.")
    panels = PanelSerializer(many=True)
    entities = EntitySerializer(many=True)


class OperationRequestSerializer(serializers.Serializer[Any]):
    """One edit. An operation sent twice with the same id is applied once."""

    id = serializers.UUIDField(
        help_text="Made by you. Send the same id when you repeat the operation."
    )
    kind = serializers.ChoiceField(choices=OperationKind.choices)
    base_revision = serializers.IntegerField(min_value=0)
    suggestions = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text=(
            "The id of the suggestions you saw; 409 if a model has replaced them. Name it when you"
            " accept a legend: without it, open suggestions that you have not seen are accepted"
            " too."
        ),
    )
    entity = serializers.CharField(required=False, help_text="Key of the entity.")
    arguments = serializers.DictField(
        required=False,
        help_text="Arguments of this kind, such as start, end and label. For accept_legend,"
        " remembered lists the keys of suggestions that you saw with a proposal of the memory; no"
        " others are left out because of it.",
    )


class OperationSerializer(serializers.ModelSerializer[Operation]):
    actor = serializers.CharField(
        source="actor.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = Operation
        fields = ["id", "revision", "base_revision", "kind", "arguments", "actor", "created_at"]
        read_only_fields = fields


class OutcomeSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField(help_text="The revision after the operation.")
    repeated = serializers.BooleanField(
        help_text="The operation had been applied before; nothing changed."
    )
    replaced = serializers.CharField(
        allow_null=True,
        help_text="Key of the entity on the same words whose label an added label replaced.",
    )
    legend = LegendSerializer()


class LeaseRequestSerializer(serializers.Serializer[Any]):
    take_over = serializers.BooleanField(
        default=False, help_text="Take the legend over from its current holder."
    )


class LeaseSerializer(serializers.Serializer[Any]):
    holder = serializers.CharField(source="holder.username")
    expires_at = serializers.DateTimeField()
