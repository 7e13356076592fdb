"""Training runs, dry runs, comparisons and automatic training."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from annotator.api.serializers.jobs import JobSerializer
from annotator.learning.models import AutomaticRound, ModelTask, TrainingRun
from annotator.learning.training.recipes import DEFAULT_RECIPE


class TrainingRunSerializer(serializers.ModelSerializer[TrainingRun]):
    snapshot = serializers.IntegerField(source="snapshot.number", read_only=True)
    base = serializers.CharField(source="base.name", read_only=True)
    candidate = serializers.CharField(
        source="candidate.name", default=None, allow_null=True, read_only=True
    )
    created_by = serializers.CharField(
        source="created_by.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "snapshot",
            "base",
            "recipe",
            "task",
            "hyperparameters",
            "state",
            "progress",
            "error",
            "candidate",
            "reason",
            "created_by",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class NewTrainingRunSerializer(serializers.Serializer[Any]):
    snapshot = serializers.IntegerField(help_text="Number of the snapshot.")
    recipe = serializers.CharField(required=False, default=DEFAULT_RECIPE)
    hyperparameters = serializers.DictField(
        required=False, default=dict, help_text="Values that differ from the recipe."
    )
    base = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        help_text="Name of the base model; the serving model if not given.",
    )


class DryRunSerializer(serializers.Serializer[Any]):
    """A check before a training run. ``stops`` are the reasons why it cannot start. The result of
    ``job`` gives the expected time."""

    snapshot = serializers.IntegerField()
    recipe = serializers.CharField()
    task = serializers.ChoiceField(choices=ModelTask.choices)
    base = serializers.CharField()
    hyperparameters = serializers.DictField()
    texts = serializers.DictField(child=serializers.IntegerField(), help_text="Examples by split.")
    labels = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="Entities by label and split.",
    )
    new_labels = serializers.ListField(
        child=serializers.CharField(), help_text="Labels that the base model does not predict."
    )
    changes = serializers.DictField(
        child=serializers.IntegerField(),
        allow_null=True,
        help_text="Legends changed since the snapshot of the last run.",
    )
    swept = serializers.FloatField(help_text="Fraction (0-1) of entities that were bulk-accepted.")
    bytes = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Disk space needed in the folders for runs and models, in bytes.",
    )
    stops = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())
    job = JobSerializer()


class ScoresSerializer(serializers.Serializer[Any]):
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()


class ComparedRowSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    support = serializers.IntegerField(allow_null=True)
    candidate = ScoresSerializer(allow_null=True)
    current = ScoresSerializer(allow_null=True)
    difference = serializers.FloatField(
        allow_null=True, help_text="Difference of F1, in percentage points."
    )


class ComparisonSerializer(serializers.Serializer[Any]):
    """Candidate and serving model on the same held-out papers."""

    candidate_model = serializers.CharField(source="candidate.model_version.name")
    current_model = serializers.CharField(
        source="current_model.name", default=None, allow_null=True
    )
    labels = ComparedRowSerializer(many=True)
    averages = ComparedRowSerializer(many=True)
    overlapping = ComparedRowSerializer(
        many=True,
        source="partial",
        help_text="Averages in which an overlap with the same label counts partly.",
    )


class DifferenceSerializer(serializers.Serializer[Any]):
    """Micro F1 of the candidate minus that of the current model (-1 to 1), by a paired bootstrap
    over the held-out papers."""

    measured = serializers.FloatField()
    low = serializers.FloatField(help_text="The lower end of the 95 % interval.")
    high = serializers.FloatField(help_text="The upper end of the 95 % interval.")
    share_worse = serializers.FloatField(
        source="fraction_worse",
        help_text="Fraction of bootstrap samples in which the candidate is worse.",
    )
    n_groups = serializers.IntegerField(help_text="Number of papers resampled.")


class VerdictSerializer(serializers.Serializer[Any]):
    """The gate result of the candidate."""

    has_passed = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())
    ground = serializers.CharField(source="basis")


class TrainingRunDetailSerializer(TrainingRunSerializer):
    comparison = ComparisonSerializer(allow_null=True, read_only=True)
    difference = DifferenceSerializer(allow_null=True, read_only=True)
    verdict = VerdictSerializer(
        allow_null=True,
        read_only=True,
        help_text="Null if the candidate serves already, or if there is no candidate.",
    )

    class Meta(TrainingRunSerializer.Meta):
        fields = [*TrainingRunSerializer.Meta.fields, "comparison", "difference", "verdict"]
        read_only_fields = fields


class AutomaticTrainingRequestSerializer(serializers.Serializer[Any]):
    is_on = serializers.BooleanField()
    every_panels = serializers.IntegerField(
        required=False,
        default=None,
        allow_null=True,
        min_value=1,
        help_text="Newly accepted panels.",
    )
    every_days = serializers.IntegerField(
        required=False, default=None, allow_null=True, min_value=1
    )
    recipe = serializers.CharField(required=False, default=DEFAULT_RECIPE)
    hyperparameters = serializers.DictField(
        required=False, default=dict, help_text="Values that differ from the recipe."
    )


class AutomaticRoundSerializer(serializers.ModelSerializer[AutomaticRound]):
    snapshot = serializers.IntegerField(
        source="snapshot.number", default=None, allow_null=True, read_only=True
    )
    training_run = serializers.IntegerField(source="run_id", allow_null=True, read_only=True)

    class Meta:
        model = AutomaticRound
        fields = ["reason", "snapshot", "training_run", "outcome", "created_at", "ended_at"]
        read_only_fields = fields


class AutomaticTrainingSerializer(serializers.Serializer[Any]):
    """Settings of automatic training, its last check, and its runs, newest first."""

    is_on = serializers.BooleanField(source="settings.is_on")
    every_panels = serializers.IntegerField(source="settings.every_panels", allow_null=True)
    every_days = serializers.IntegerField(source="settings.every_days", allow_null=True)
    recipe = serializers.CharField(source="settings.recipe")
    hyperparameters = serializers.DictField(source="settings.hyperparameters")
    check_result = serializers.CharField(
        source="settings.check_result", help_text="A sentence about the last check."
    )
    checked_at = serializers.DateTimeField(source="settings.checked_at", allow_null=True)
    said = serializers.CharField(
        source="settings.check_result", help_text="Deprecated: use `check_result`."
    )
    looked_at = serializers.DateTimeField(
        source="settings.checked_at", allow_null=True, help_text="Deprecated: use `checked_at`."
    )
    rounds = AutomaticRoundSerializer(many=True)
