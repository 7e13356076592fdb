"""Curator effort."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class LabelTallySerializer(serializers.Serializer[Any]):
    """The outcomes of a model's suggestions for one label, or in total."""

    code = serializers.CharField(
        source="label", help_text="Code of the label; empty for the total."
    )
    name = serializers.CharField()
    suggested = serializers.IntegerField()
    accepted = serializers.IntegerField(help_text="Accepted unchanged.")
    bulk_accepted = serializers.IntegerField(
        help_text="Accepted entities that were accepted together with their legend."
    )
    boundaries_corrected = serializers.IntegerField(
        help_text="Entities whose boundaries were corrected."
    )
    swept = serializers.IntegerField(help_text="Deprecated: use `bulk_accepted`.")
    edge = serializers.IntegerField(help_text="Deprecated: use `boundaries_corrected`.")
    relabelled = serializers.IntegerField(
        help_text="Entities whose label was corrected; for roles, whose role was."
    )
    rejected = serializers.IntegerField()
    left_out = serializers.IntegerField(
        help_text="Suggestions left out with the legend: below the threshold, or against the"
        " project's memory."
    )
    added = serializers.IntegerField(help_text="Entities added by hand.")
    accepted_percent = serializers.FloatField(allow_null=True)


class WorkSerializer(serializers.Serializer[Any]):
    n_legends = serializers.IntegerField()
    actions = serializers.FloatField(allow_null=True, help_text="Mean for each legend.")
    n_timed = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True, help_text="Mean for each timed legend.")
    median_seconds = serializers.FloatField(allow_null=True)


class ModelEffortSerializer(serializers.Serializer[Any]):
    task = serializers.CharField()
    model = serializers.CharField(
        help_text="Name of the model version or of another source of suggestions."
    )
    work = WorkSerializer(allow_null=True)
    total = LabelTallySerializer()
    labels = LabelTallySerializer(many=True)


class EffortSerializer(serializers.Serializer[Any]):
    models = ModelEffortSerializer(many=True)
    without_suggestions = WorkSerializer()
    n_uncounted = serializers.IntegerField(
        help_text="Accepted legends that a job is still counting."
    )
