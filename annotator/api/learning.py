"""Models of a project: pre-tag, train, evaluate, promote, roll back."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import serializers as io
from annotator.api.base import NewestFirstPagination, ProjectView
from annotator.common.errors import UserError
from annotator.corpus.access import Action
from annotator.datasets.models import Snapshot
from annotator.learning.evaluation.details import details_of
from annotator.learning.evaluation.effort import effort_in
from annotator.learning.evaluation.services import compare, start_evaluation
from annotator.learning.models import Evaluation, ModelVersion, TrainingRun
from annotator.learning.serving.canary import start_canary, stop_canary
from annotator.learning.serving.canary_report import canary_of, report_on
from annotator.learning.serving.hub import start_push
from annotator.learning.serving.promotion import candidate_gate_result, promote, roll_back
from annotator.learning.tagging.services import lineup_of, start_pretagging
from annotator.learning.training import dry_run as dryrun
from annotator.learning.training.automatic import change_automatic_training, standing_of
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import DryRunPayload, cancel_training, start_training


class PretagView(ProjectView):
    actions = {"POST": Action.TAG}

    @extend_schema(
        request=io.PretagRequestSerializer,
        responses={202: io.JobSerializer, 400: io.ErrorSerializer, 409: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Pre-tag all undecided legends in the background. 409 while such a job is unfinished."""
        name = self.fields(io.PretagRequestSerializer)["model"]
        job = start_pretagging(
            project=self.project, actor=self.actor, model_version=model_named(self, name)
        )
        return Response(io.JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class ModelsView(ProjectView):
    """The models that the project may use."""

    pagination_class = NewestFirstPagination

    @extend_schema(responses=io.ModelSerializer(many=True), tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """List the models of the project with their scores on held-out papers, newest first."""
        serving = {model.pk for model in lineup_of(self.project).models.values()}
        evaluations: dict[int, list[Evaluation]] = {}
        for evaluation in Evaluation.objects.filter(snapshot__project=self.project).select_related(
            "snapshot"
        ):
            evaluations.setdefault(evaluation.model_version_id, []).append(evaluation)
        rows = usable_models(self).select_related("parent")
        return self.page(rows, io.ModelSerializer, serving_ids=serving, evaluations=evaluations)


class EffortView(ProjectView):
    @extend_schema(responses=io.EffortSerializer, tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """Return outcomes of suggestions by model and label, and the effort for a legend."""
        return Response(
            io.EffortSerializer(effort_in(project=self.project, actor=self.actor).as_json()).data
        )


class AutomaticTrainingView(ProjectView):
    actions = {"PUT": Action.MANAGE}

    @extend_schema(responses=io.AutomaticTrainingSerializer, tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """Return the settings of automatic training and its runs."""
        return Response(
            io.AutomaticTrainingSerializer(standing_of(project=self.project, actor=self.actor)).data
        )

    @extend_schema(
        request=io.AutomaticTrainingRequestSerializer,
        responses={200: io.AutomaticTrainingSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def put(self, request: Request, slug: str) -> Response:
        """Switch automatic training on or off. It ends at the gate and never promotes."""
        change_automatic_training(
            project=self.project,
            actor=self.actor,
            **self.fields(io.AutomaticTrainingRequestSerializer),
        )
        return self.get(request, slug)


class CanaryView(ProjectView):
    """The canary: a candidate that pre-tags a fraction of the new legends."""

    actions = {"DELETE": Action.PROMOTE}

    @extend_schema(responses={200: io.CanarySerializer, 404: io.ErrorSerializer}, tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """Return the newest canary and its comparison. 404 if the project has had none."""
        found = canary_of(project=self.project, actor=self.actor)
        if found is None:
            raise NotFound("This project has had no canary yet.")
        return Response(io.CanarySerializer(found.as_json()).data)

    @extend_schema(responses={204: None, 400: io.ErrorSerializer}, tags=["models"])
    def delete(self, request: Request, slug: str) -> Response:
        """Stop the canary. Waiting legends are re-tagged by the serving model."""
        stop_canary(project=self.project, actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class StartCanaryView(ProjectView):
    actions = {"POST": Action.PROMOTE}

    @extend_schema(
        request=io.CanaryRequestSerializer,
        responses={201: io.CanarySerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str, model_id: int) -> Response:
        """Start a canary: the candidate pre-tags a fraction of the newly tagged legends."""
        model: ModelVersion = get_object_or_404(usable_models(self), pk=model_id)
        fraction = self.fields(io.CanaryRequestSerializer)["fraction"]
        canary = start_canary(
            project=self.project, model_version=model, fraction=fraction, actor=self.actor
        )
        return Response(
            io.CanarySerializer(report_on(canary).as_json()).data, status=status.HTTP_201_CREATED
        )


class PushView(ProjectView):
    actions = {"POST": Action.MANAGE}

    @extend_schema(
        request=io.PushRequestSerializer,
        responses={202: io.JobSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str, model_id: int) -> Response:
        """Push a model of the project to the configured hub, with its card and licence."""
        model: ModelVersion = get_object_or_404(self.project.model_versions, pk=model_id)
        job = start_push(model=model, actor=self.actor, **self.fields(io.PushRequestSerializer))
        return Response(io.JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class PromoteView(ProjectView):
    actions = {"POST": Action.PROMOTE}

    @extend_schema(
        request=io.PromotionRequestSerializer,
        responses={201: io.PromotionSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str, model_id: int) -> Response:
        """Promote a model; unreviewed legends are re-tagged.

        The model needs an evaluation on held-out papers. One that does not pass the project's gate
        also needs an override reason; the refusal lists the gate's reasons.
        """
        model: ModelVersion = get_object_or_404(usable_models(self), pk=model_id)
        reason = self.fields(io.PromotionRequestSerializer)["reason"]
        promotion = promote(
            project=self.project, model_version=model, actor=self.actor, reason=reason
        )
        return Response(io.PromotionSerializer(promotion).data, status=status.HTTP_201_CREATED)


class RollBackView(ProjectView):
    actions = {"POST": Action.PROMOTE}

    @extend_schema(
        request=io.RollBackRequestSerializer,
        responses={201: io.PromotionSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Roll back the last promotion of a task."""
        promotion = roll_back(
            project=self.project, actor=self.actor, **self.fields(io.RollBackRequestSerializer)
        )
        return Response(io.PromotionSerializer(promotion).data, status=status.HTTP_201_CREATED)


class EvaluateModelView(ProjectView):
    actions = {"POST": Action.TRAIN}

    @extend_schema(
        request=io.JudgeRequestSerializer,
        responses={202: io.JobSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str, model_id: int) -> Response:
        """Evaluate a model on the held-out papers of a snapshot, in the background."""
        model: ModelVersion = get_object_or_404(usable_models(self), pk=model_id)
        snapshot = snapshot_of(self, self.fields(io.JudgeRequestSerializer)["snapshot"])
        job = start_evaluation(
            project=self.project, snapshot=snapshot, model_version=model, actor=self.actor
        )
        return Response(io.JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class PromotionsView(ProjectView):
    """The log of promotions."""

    pagination_class = NewestFirstPagination

    @extend_schema(responses=io.PromotionSerializer(many=True), tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """List promotions and roll-backs, newest first."""
        return self.page(
            self.project.promotions.select_related("model_version", "replaced", "actor"),
            io.PromotionSerializer,
        )


def training_request(view: ProjectView) -> TrainingRequest:
    """Return the training run that a program asks for. Raises ``NotFound``, ``ValidationError``."""
    asked = view.fields(io.NewTrainingRunSerializer)
    return TrainingRequest(
        project=view.project,
        snapshot=snapshot_of(view, asked["snapshot"]),
        recipe=asked["recipe"],
        hyperparameters=asked["hyperparameters"],
        base=model_named(view, asked["base"]),
    )


class TrainingRunsView(ProjectView):
    """The project's training runs."""

    actions = {"POST": Action.TRAIN}
    pagination_class = NewestFirstPagination

    @extend_schema(responses=io.TrainingRunSerializer(many=True), tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """List training runs, newest first."""
        return self.page(runs_of(self), io.TrainingRunSerializer)

    @extend_schema(
        request=io.NewTrainingRunSerializer,
        responses={202: io.TrainingRunSerializer, 400: io.ErrorSerializer, 409: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Start a training run on a snapshot. The candidate is evaluated on held-out papers."""
        run = start_training(training_request(self), actor=self.actor)
        return Response(io.TrainingRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)


class DryRunView(ProjectView):
    actions = {"POST": Action.TRAIN}

    @extend_schema(
        request=io.NewTrainingRunSerializer,
        responses={202: io.DryRunSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Check a training run before it starts.

        A worker times a few steps; the result of ``job`` then holds the expected time.
        """
        job = dryrun.start_dry_run(training_request(self), actor=self.actor)
        found = dryrun.dry_run_of(dryrun.plan_of(DryRunPayload.of(job))).as_json()
        return Response(
            io.DryRunSerializer({**found, "job": job}).data, status=status.HTTP_202_ACCEPTED
        )


class OneTrainingRunView(ProjectView):
    """An endpoint about one training run of the project."""

    def run(self) -> TrainingRun:
        found: TrainingRun = get_object_or_404(runs_of(self), pk=self.kwargs["run_id"])
        return found


class TrainingRunView(OneTrainingRunView):
    @extend_schema(responses=io.TrainingRunDetailSerializer, tags=["models"])
    def get(self, request: Request, slug: str, run_id: int) -> Response:
        """Return a training run with its progress, comparison and gate result."""
        run: Any = self.run()
        run.comparison = compare(run)
        details = details_of(run.comparison, run.project) if run.comparison else None
        run.difference = details.difference if details else None
        run.verdict = candidate_gate_result(run)
        return Response(io.TrainingRunDetailSerializer(run).data)


class TrainingRunCancelView(OneTrainingRunView):
    actions = {"POST": Action.TRAIN}

    @extend_schema(request=None, responses=io.TrainingRunSerializer, tags=["models"])
    def post(self, request: Request, slug: str, run_id: int) -> Response:
        """Cancel a run; it leaves no candidate. A finished run does not change."""
        run = cancel_training(run=self.run(), actor=self.actor)
        return Response(io.TrainingRunSerializer(run).data)


def usable_models(view: ProjectView) -> Any:
    return ModelVersion.objects.usable_in(view.project)


def model_named(view: ProjectView, name: str) -> ModelVersion | None:
    """Return the model of that name, or None if the name is empty.

    Only models that the project may use already are found: folders are registered by commands.
    Raises ``UserError`` if there is no such model.
    """
    if not name:
        return None
    found: ModelVersion | None = usable_models(view).filter(name=name).first()
    if found is None:
        raise UserError(f'The project has no model "{name}". List its models for their names.')
    return found


def snapshot_of(view: ProjectView, number: int) -> Snapshot:
    """Return the snapshot of that number. Raises ``Http404``."""
    found: Snapshot = get_object_or_404(view.project.snapshots, number=number)
    return found


def runs_of(view: ProjectView) -> Any:
    return view.project.training_runs.select_related(
        "snapshot", "base", "candidate", "created_by", "project", "job"
    )
