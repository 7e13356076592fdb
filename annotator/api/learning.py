"""Models of a project: tag with them, train the next, judge, promote, roll back."""

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
from annotator.learning.evaluation.comparison import details_of
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
        """Have every legend that nobody decided tagged in the background. 409 while such a job is
        unfinished."""
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
        """The models that the project may use, with their scores on its held-out papers; newest
        first."""
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
        """What became of each model's suggestions, label by label, and what it took people to
        accept a legend."""
        return Response(
            io.EffortSerializer(effort_in(project=self.project, actor=self.actor).as_json()).data
        )


class AutomaticTrainingView(ProjectView):
    actions = {"PUT": Action.MANAGE}

    @extend_schema(responses=io.AutomaticTrainingSerializer, tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """Whether and when the project trains by itself, and what it did so far."""
        return Response(
            io.AutomaticTrainingSerializer(standing_of(project=self.project, actor=self.actor)).data
        )

    @extend_schema(
        request=io.AutomaticTrainingRequestSerializer,
        responses={200: io.AutomaticTrainingSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def put(self, request: Request, slug: str) -> Response:
        """Have the project train by itself, up to the gate, or no longer."""
        change_automatic_training(
            project=self.project,
            actor=self.actor,
            **self.fields(io.AutomaticTrainingRequestSerializer),
        )
        return self.get(request, slug)


class CanaryView(ProjectView):
    """The candidate that is tried on a share of the project's new legends."""

    actions = {"DELETE": Action.PROMOTE}

    @extend_schema(responses={200: io.CanarySerializer, 404: io.ErrorSerializer}, tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """The newest canary, running or ended, and what curators made of it. 404 where there was
        none."""
        found = canary_of(project=self.project, actor=self.actor)
        if found is None:
            raise NotFound("No candidate was tried in this project yet.")
        return Response(io.CanarySerializer(found.as_json()).data)

    @extend_schema(responses={204: None, 400: io.ErrorSerializer}, tags=["models"])
    def delete(self, request: Request, slug: str) -> Response:
        """Stop it; what waits is tagged by what serves again."""
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
        """Have a candidate tag a share of the legends that are newly tagged, to compare what
        curators make of it."""
        model: ModelVersion = get_object_or_404(usable_models(self), pk=model_id)
        share = self.fields(io.CanaryRequestSerializer)["share"]
        canary = start_canary(
            project=self.project, model_version=model, share=share, actor=self.actor
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
        """Give a model of the project to the hub that the site is set up for, with its card and
        under a licence."""
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
        """Put a model into service; unreviewed legends are tagged again. Refused without an
        evaluation on held-out papers.

        A model that does not pass the project's gate needs a written reason; the refusal says why
        it does not pass.
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
        """Take back the last promotion for a task that still stands."""
        promotion = roll_back(
            project=self.project, actor=self.actor, **self.fields(io.RollBackRequestSerializer)
        )
        return Response(io.PromotionSerializer(promotion).data, status=status.HTTP_201_CREATED)


class JudgeView(ProjectView):
    actions = {"POST": Action.TRAIN}

    @extend_schema(
        request=io.JudgeRequestSerializer,
        responses={202: io.JobSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str, model_id: int) -> Response:
        """Judge a model on the held-out papers of a snapshot, in the background."""
        model: ModelVersion = get_object_or_404(usable_models(self), pk=model_id)
        snapshot = snapshot_of(self, self.fields(io.JudgeRequestSerializer)["snapshot"])
        job = start_evaluation(
            project=self.project, snapshot=snapshot, model_version=model, actor=self.actor
        )
        return Response(io.JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class PromotionsView(ProjectView):
    """Who put which model into service, and when."""

    pagination_class = NewestFirstPagination

    @extend_schema(responses=io.PromotionSerializer(many=True), tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """Who put which model into service in place of which, newest first."""
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
        """The project's training runs, newest first."""
        return self.page(runs_of(self), io.TrainingRunSerializer)

    @extend_schema(
        request=io.NewTrainingRunSerializer,
        responses={202: io.TrainingRunSerializer, 400: io.ErrorSerializer, 409: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Fine-tune a model on a snapshot in the background, and judge the candidate on its
        held-out papers."""
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
        """What a training would learn from and what speaks against it; a worker tries a few steps,
        and the result of ``job`` says how long."""
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
        """A training run with its progress and, once it is judged, its scores beside the current
        model's and what the gate says of it."""
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
        """Stop the run; it leaves no candidate. A finished run stays as it is."""
        run = cancel_training(run=self.run(), actor=self.actor)
        return Response(io.TrainingRunSerializer(run).data)


def usable_models(view: ProjectView) -> Any:
    return ModelVersion.objects.usable_in(view.project)


def model_named(view: ProjectView, name: str) -> ModelVersion | None:
    """A model that the project may use already, None where no name is given: folders are registered
    on the command line alone.

    Raises ``UserError``.
    """
    if not name:
        return None
    found: ModelVersion | None = usable_models(view).filter(name=name).first()
    if found is None:
        raise UserError(
            f'The project has no model "{name}". See the list of its models for their names.'
        )
    return found


def snapshot_of(view: ProjectView, number: int) -> Snapshot:
    """The project's snapshot of that number. Raises ``Http404``."""
    found: Snapshot = get_object_or_404(view.project.snapshots, number=number)
    return found


def runs_of(view: ProjectView) -> Any:
    return view.project.training_runs.select_related(
        "snapshot", "base", "candidate", "created_by", "project", "job"
    )
