"""Models, evaluations, promotions and canaries."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.learning.models import Evaluation, ModelTask, ModelVersion, Promotion


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    snapshot = serializers.IntegerField(source="snapshot.number", read_only=True)
    side = serializers.CharField(
        source="split", read_only=True, help_text="Deprecated: use `split`."
    )

    class Meta:
        model = Evaluation
        fields = ["snapshot", "split", "side", "micro_f1", "scores", "created_at"]
        read_only_fields = fields


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    trained_from = serializers.CharField(
        source="parent.name", default=None, allow_null=True, read_only=True
    )
    is_serving = serializers.SerializerMethodField(
        help_text="Whether the model serves this project now."
    )
    evaluations = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "name",
            "task",
            "origin",
            "labels",
            "weights_sha256",
            "trained_from",
            "created_at",
            "is_serving",
            "evaluations",
        ]
        read_only_fields = fields

    def get_is_serving(self, model: ModelVersion) -> bool:
        return model.pk in self.context["serving_ids"]

    @extend_schema_field(EvaluationSerializer(many=True))
    def get_evaluations(self, model: ModelVersion) -> list[dict[str, Any]]:
        return list(
            EvaluationSerializer(self.context["evaluations"].get(model.pk, []), many=True).data
        )


class PromotionRequestSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=2000)


class RollBackRequestSerializer(PromotionRequestSerializer):
    task = serializers.ChoiceField(
        choices=ModelTask.choices, required=False, default=ModelTask.ENTITIES.value
    )


class PromotionSerializer(serializers.ModelSerializer[Promotion]):
    model_version = serializers.CharField(source="model_version.name", read_only=True)
    task = serializers.CharField(source="model_version.task", read_only=True)
    replaced = serializers.CharField(
        source="replaced.name", default=None, allow_null=True, read_only=True
    )
    actor = serializers.CharField(
        source="actor.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = Promotion
        fields = [
            "id",
            "kind",
            "task",
            "model_version",
            "replaced",
            "reason",
            "verdict",
            "actor",
            "created_at",
        ]
        read_only_fields = fields


class PretagRequestSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        help_text="Name of a model of the project; the serving model if not given.",
    )


class JudgeRequestSerializer(serializers.Serializer[Any]):
    snapshot = serializers.IntegerField(
        help_text="Number of the snapshot whose held-out papers are used."
    )


class CanaryRequestSerializer(serializers.Serializer[Any]):
    fraction = serializers.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        help_text="Fraction (0-1) of newly tagged legends. Required without `share`.",
    )
    share = serializers.FloatField(
        required=False, min_value=0, max_value=1, help_text="Deprecated: use `fraction`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the fraction under its new name."""
        fraction = attrs.get("fraction", attrs.get("share"))
        if fraction is None:
            raise serializers.ValidationError({"fraction": "This field is required."})
        return {"fraction": fraction}


class CanaryComparedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    unit = serializers.CharField(help_text="%, s, or none.")
    candidate = serializers.FloatField(allow_null=True)
    n_candidate = serializers.IntegerField(help_text="Legends counted for the candidate.")
    serving = serializers.FloatField(allow_null=True)
    n_serving = serializers.IntegerField()
    difference = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(
        allow_null=True, help_text="End of the 95 % interval of the difference."
    )
    high = serializers.FloatField(allow_null=True)


class CanarySerializer(serializers.Serializer[Any]):
    """A canary: the outcomes of the candidate's suggestions beside those of the serving model."""

    candidate = serializers.CharField()
    serving = serializers.CharField()
    fraction = serializers.FloatField(help_text="Fraction (0-1) of newly tagged legends.")
    share = serializers.FloatField(help_text="Deprecated: use `fraction`.")
    started_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    n_candidate = serializers.IntegerField(help_text="Accepted legends that the candidate tagged.")
    n_serving = serializers.IntegerField()
    work = CanaryComparedSerializer(many=True)
    labels = CanaryComparedSerializer(many=True)


class PushRequestSerializer(serializers.Serializer[Any]):
    repository = serializers.CharField(max_length=160, help_text="owner/name")
    licence = serializers.CharField(
        max_length=42, help_text="Licence identifier for the model card, such as cc-by-4.0."
    )
    is_private = serializers.BooleanField(required=False, default=True)
