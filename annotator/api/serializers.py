"""What goes in and out, field by field. No logic: values come from services and models as they
are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.corpus.imports import FileLabels
from annotator.corpus.models import DecisionKind, Document, DocumentState, Project, Verdict
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.learning.models import (
    AutomaticRound,
    Evaluation,
    ModelTask,
    ModelVersion,
    Promotion,
    TrainingRun,
)
from annotator.learning.training.recipes import DEFAULT_RECIPE
from annotator.review.editing.identifiers import identifiers_of
from annotator.review.models import Operation, OperationKind
from ner_engine.formats import FORMATS


class ErrorSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(help_text="One sentence: what is wrong and what to do.")


class ConflictSerializer(ErrorSerializer):
    revision = serializers.IntegerField(help_text="The legend's revision now.")
    base_revision = serializers.IntegerField(
        help_text="The revision the refused operation was made on."
    )
    operations_since = serializers.ListField(
        child=serializers.DictField(), help_text="What came between, oldest first."
    )


class LockedSerializer(ErrorSerializer):
    holder = serializers.CharField(help_text="Who works on the legend.")


class LabelSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    short = serializers.CharField()
    takes_role = serializers.BooleanField()


class ProjectSerializer(serializers.ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = ["slug", "name", "description", "created_at"]
        read_only_fields = ["created_at"]


class ProjectDetailSerializer(ProjectSerializer):
    guideline = serializers.CharField(read_only=True)
    labels = LabelSerializer(many=True, read_only=True, source="label_set.labels")
    actions = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What you may do here."
    )
    n_documents_by_state = serializers.DictField(child=serializers.IntegerField(), read_only=True)

    class Meta(ProjectSerializer.Meta):
        fields = [
            *ProjectSerializer.Meta.fields,
            "guideline",
            "labels",
            "actions",
            "n_documents_by_state",
        ]


class NewProjectSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    slug = serializers.SlugField(max_length=80, required=False, default="", allow_blank=True)
    description = serializers.CharField(required=False, default="", allow_blank=True)


class DocumentSerializer(serializers.ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = [
            "id",
            "external_id",
            "doi",
            "title",
            "figure_label",
            "image",
            "state",
            "revision",
            "n_words",
            "n_panels",
            "sha256",
            "created_at",
            "accepted_at",
        ]
        read_only_fields = fields


class PanelSerializer(serializers.Serializer[Any]):
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    marker = serializers.CharField(allow_blank=True)


class SegmentSerializer(PanelSerializer):
    id = serializers.CharField(allow_blank=True, help_text="The panel's id in its source.")
    image = serializers.CharField(allow_blank=True)


class IdentifierSerializer(serializers.Serializer[Any]):
    """An entry of an ontology or database."""

    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    taxon = serializers.CharField(
        allow_blank=True, help_text="Its species' number in the NCBI taxonomy."
    )
    database = serializers.CharField(allow_blank=True)
    species = serializers.CharField(allow_blank=True)


class SpanSerializer(serializers.Serializer[Any]):
    """Offsets are Unicode code points into the document's text, half open."""

    id = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    surface = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    role = serializers.CharField(allow_blank=True)
    score = serializers.FloatField(allow_null=True)
    identifiers = serializers.SerializerMethodField(
        help_text="What the attributes say of ontologies and databases, read."
    )
    attributes = serializers.DictField()

    @extend_schema_field(IdentifierSerializer(many=True))
    def get_identifiers(self, span: Any) -> list[dict[str, Any]]:
        return [asdict(each) for each in identifiers_of(span.attributes)]


class DocumentDetailSerializer(DocumentSerializer):
    text = serializers.CharField(read_only=True)
    panels = SegmentSerializer(many=True, read_only=True)
    spans = SpanSerializer(
        many=True,
        read_only=True,
        help_text="What people decided, else what the file brought as gold.",
    )
    suggestions = SpanSerializer(
        many=True, read_only=True, help_text="What a model or the file suggests now."
    )

    class Meta(DocumentSerializer.Meta):
        fields = [*DocumentSerializer.Meta.fields, "text", "panels", "spans", "suggestions"]
        read_only_fields = fields


class EntitySerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="The entity's identity: it survives every edit.")
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


class LegendSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    revision = serializers.IntegerField(help_text="Name it as base_revision of the next operation.")
    state = serializers.ChoiceField(choices=DocumentState.choices)
    text = serializers.CharField()
    suggested_by = serializers.CharField(allow_blank=True)
    suggestions = serializers.IntegerField(
        help_text="Which suggestions these are, 0 for none. Name it in the next operation."
    )
    holder = serializers.CharField(allow_null=True, help_text="Who works on the legend now.")
    panels = PanelSerializer(many=True)
    entities = EntitySerializer(many=True)


class OperationRequestSerializer(serializers.Serializer[Any]):
    """Sent again with the same id it is done once."""

    id = serializers.UUIDField(
        help_text="Made by you, the same whenever you send this operation again."
    )
    kind = serializers.ChoiceField(choices=OperationKind.choices)
    base_revision = serializers.IntegerField(min_value=0)
    suggestions = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text="The legend's suggestions, as you saw them; 409 if a model has replaced them.",
    )
    entity = serializers.CharField(required=False, help_text="The key of the entity it is about.")
    arguments = serializers.DictField(
        required=False, help_text="What the kind takes, for instance start, end and label."
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
    revision = serializers.IntegerField(help_text="The revision that the operation made.")
    repeated = serializers.BooleanField(help_text="It was done before, and not again.")
    legend = LegendSerializer()


class LeaseRequestSerializer(serializers.Serializer[Any]):
    take_over = serializers.BooleanField(
        default=False, help_text="Also from somebody who holds it now."
    )


class LeaseSerializer(serializers.Serializer[Any]):
    holder = serializers.CharField(source="holder.username")
    expires_at = serializers.DateTimeField()


class JobSerializer(serializers.ModelSerializer[Job]):
    created_by = serializers.CharField(
        source="created_by.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "queue",
            "state",
            "n_done",
            "n_total",
            "message",
            "error",
            "result",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
            "cancel_requested_at",
        ]
        read_only_fields = fields


class ImportRequestSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(
        child=serializers.FileField(), min_length=1, help_text="Files or zips, one or several."
    )
    source_format = serializers.ChoiceField(
        choices=sorted(FORMATS),
        required=False,
        default="",
        allow_blank=True,
        help_text="Guessed if not given.",
    )
    labels = serializers.ChoiceField(
        choices=[each.value for each in FileLabels],
        default=FileLabels.GOLD.value,
        help_text="What the file's labels count as.",
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
        help_text="Usernames: legends that they accepted.",
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
        help_text="Only panels that were decided so.",
    )


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    snapshot = serializers.IntegerField(source="snapshot.number", read_only=True)

    class Meta:
        model = Evaluation
        fields = ["snapshot", "side", "micro_f1", "scores", "created_at"]
        read_only_fields = fields


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    trained_from = serializers.CharField(
        source="parent.name", default=None, allow_null=True, read_only=True
    )
    is_serving = serializers.SerializerMethodField(
        help_text="Whether it does its task on this project's legends now."
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
        help_text="A model of the project by its name; the serving one if not given.",
    )


class JudgeRequestSerializer(serializers.Serializer[Any]):
    snapshot = serializers.IntegerField(
        help_text="The number of the snapshot whose held-out papers it is judged on."
    )


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
    snapshot = serializers.IntegerField(help_text="Its number.")
    recipe = serializers.CharField(required=False, default=DEFAULT_RECIPE)
    hyperparameters = serializers.DictField(
        required=False, default=dict, help_text="Only those that differ from the recipe's."
    )
    base = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        help_text="A model by its name; the serving one if not given.",
    )


class DryRunSerializer(serializers.Serializer[Any]):
    """What a training would be. ``stops`` would end it before it begins; of ``job`` the result says
    how long it would take, once a worker tried."""

    snapshot = serializers.IntegerField()
    recipe = serializers.CharField()
    task = serializers.ChoiceField(choices=ModelTask.choices)
    base = serializers.CharField()
    hyperparameters = serializers.DictField()
    texts = serializers.DictField(child=serializers.IntegerField(), help_text="Examples by side.")
    labels = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="Entities by label and side.",
    )
    new_labels = serializers.ListField(
        child=serializers.CharField(), help_text="Labels that the base does not know."
    )
    changes = serializers.DictField(
        child=serializers.IntegerField(),
        allow_null=True,
        help_text="Legends since the last run's snapshot.",
    )
    swept = serializers.FloatField(
        help_text="Share (0-1) of the entities that nobody decided by themselves."
    )
    bytes = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Room that it needs in the folders of runs and of models.",
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
    difference = serializers.FloatField(allow_null=True, help_text="Of F1, in points of a hundred.")


class ComparisonSerializer(serializers.Serializer[Any]):
    """The candidate beside the model in service, on the same held-out papers."""

    candidate_model = serializers.CharField(source="candidate.model_version.name")
    current_model = serializers.CharField(
        source="current_model.name", default=None, allow_null=True
    )
    labels = ComparedRowSerializer(many=True)
    averages = ComparedRowSerializer(many=True)
    overlapping = ComparedRowSerializer(
        many=True,
        source="partial",
        help_text="Averages in which an overlap of the same label counts in part.",
    )


class DifferenceSerializer(serializers.Serializer[Any]):
    """Micro F1 of the candidate minus the current model's, -1 to 1, by a paired bootstrap over the
    held-out papers."""

    measured = serializers.FloatField()
    low = serializers.FloatField(help_text="The lower end of the 95 % interval.")
    high = serializers.FloatField(help_text="The upper end of the 95 % interval.")
    share_worse = serializers.FloatField(
        help_text="Share of draws in which the candidate was worse."
    )
    n_groups = serializers.IntegerField(help_text="Papers drawn from.")


class VerdictSerializer(serializers.Serializer[Any]):
    """What the gate says of the candidate."""

    has_passed = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())
    ground = serializers.CharField(source="basis")


class TrainingRunDetailSerializer(TrainingRunSerializer):
    comparison = ComparisonSerializer(allow_null=True, read_only=True)
    difference = DifferenceSerializer(allow_null=True, read_only=True)
    verdict = VerdictSerializer(
        allow_null=True,
        read_only=True,
        help_text="Null where the candidate serves, or there is none.",
    )

    class Meta(TrainingRunSerializer.Meta):
        fields = [*TrainingRunSerializer.Meta.fields, "comparison", "difference", "verdict"]
        read_only_fields = fields


class LabelTallySerializer(serializers.Serializer[Any]):
    """What became of a model's suggestions of a label, or of all."""

    code = serializers.CharField(source="label", help_text="Of the label; empty for all.")
    name = serializers.CharField()
    suggested = serializers.IntegerField()
    accepted = serializers.IntegerField(help_text="As they were.")
    swept = serializers.IntegerField(help_text="Of the accepted those that nobody looked at.")
    edge = serializers.IntegerField(help_text="Corrected in extent.")
    relabelled = serializers.IntegerField(help_text="Corrected in label, or of a role in the role.")
    rejected = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Below the threshold, without a look.")
    added = serializers.IntegerField(help_text="By hand, where nothing was suggested.")
    accepted_percent = serializers.FloatField(allow_null=True)


class WorkSerializer(serializers.Serializer[Any]):
    n_legends = serializers.IntegerField()
    actions = serializers.FloatField(allow_null=True, help_text="Mean of a legend.")
    n_timed = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True, help_text="Mean of a timed legend.")
    median_seconds = serializers.FloatField(allow_null=True)


class ModelEffortSerializer(serializers.Serializer[Any]):
    task = serializers.CharField()
    model = serializers.CharField(help_text="A model version's name, or what else suggested.")
    work = WorkSerializer(allow_null=True)
    total = LabelTallySerializer()
    labels = LabelTallySerializer(many=True)


class EffortSerializer(serializers.Serializer[Any]):
    models = ModelEffortSerializer(many=True)
    without_suggestions = WorkSerializer()
    n_uncounted = serializers.IntegerField(
        help_text="Accepted legends that a job is still counting."
    )


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
        required=False, default=dict, help_text="Only those that differ from the recipe's."
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
    """Whether and when the project trains by itself, what was said of it last, and its rounds, the
    newest first."""

    is_on = serializers.BooleanField(source="settings.is_on")
    every_panels = serializers.IntegerField(source="settings.every_panels", allow_null=True)
    every_days = serializers.IntegerField(source="settings.every_days", allow_null=True)
    recipe = serializers.CharField(source="settings.recipe")
    hyperparameters = serializers.DictField(source="settings.hyperparameters")
    said = serializers.CharField(source="settings.said")
    looked_at = serializers.DateTimeField(source="settings.looked_at", allow_null=True)
    rounds = AutomaticRoundSerializer(many=True)


class CanaryRequestSerializer(serializers.Serializer[Any]):
    share = serializers.FloatField(
        min_value=0, max_value=1, help_text="Of newly tagged legends, 0-1."
    )


class CanaryComparedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    unit = serializers.CharField(help_text="%, s, or none.")
    candidate = serializers.FloatField(allow_null=True)
    n_candidate = serializers.IntegerField(help_text="Legends that tell.")
    serving = serializers.FloatField(allow_null=True)
    n_serving = serializers.IntegerField()
    difference = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(
        allow_null=True, help_text="End of the 95 % interval of the difference."
    )
    high = serializers.FloatField(allow_null=True)


class CanarySerializer(serializers.Serializer[Any]):
    """A candidate that tags a share of the new legends, and what curators made of it beside the
    model in service."""

    candidate = serializers.CharField()
    serving = serializers.CharField()
    share = serializers.FloatField()
    started_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    n_candidate = serializers.IntegerField(help_text="Accepted legends that the candidate tagged.")
    n_serving = serializers.IntegerField()
    work = CanaryComparedSerializer(many=True)
    labels = CanaryComparedSerializer(many=True)


class PushRequestSerializer(serializers.Serializer[Any]):
    repository = serializers.CharField(max_length=160, help_text="owner/name")
    licence = serializers.CharField(
        max_length=42, help_text="Its identifier, such as cc-by-4.0; the card then names it."
    )
    is_private = serializers.BooleanField(required=False, default=True)
