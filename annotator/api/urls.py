"""The API's addresses, under /api/v1/. Everything within a project stands under projects/<slug>/,
as on the site."""

from django.urls import URLPattern, path
from drf_spectacular.views import SpectacularJSONAPIView

from annotator.api import corpus, datasets, jobs, learning, lookup, memory, review
from annotator.api.base import ApiView

app_name = "api"


class SchemaView(SpectacularJSONAPIView):
    """The OpenAPI description; it names no data, but is not for strangers either."""

    authentication_classes = ApiView.authentication_classes
    permission_classes = ApiView.permission_classes


_project = "projects/<slug:slug>/"
urlpatterns: list[URLPattern] = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("projects/", corpus.ProjectsView.as_view(), name="projects"),
    path(_project, corpus.OneProjectView.as_view(), name="project"),
    path(f"{_project}documents/", corpus.DocumentsView.as_view(), name="documents"),
    path(f"{_project}documents/<int:document_id>/", corpus.DocumentView.as_view(), name="document"),
    path(f"{_project}legends/<int:document_id>/", review.LegendView.as_view(), name="legend"),
    path(
        f"{_project}legends/<int:document_id>/operations/",
        review.OperationsView.as_view(),
        name="operations",
    ),
    path(f"{_project}legends/<int:document_id>/lease/", review.LeaseView.as_view(), name="lease"),
    path(f"{_project}lookup/", lookup.LookupView.as_view(), name="lookup"),
    path(f"{_project}identifiers/", lookup.IdentifierProblemsView.as_view(), name="identifiers"),
    path(f"{_project}memory/", memory.MemoryView.as_view(), name="memory"),
    path(
        f"{_project}memory/<int:entry_id>/",
        memory.MemoryEntryView.as_view(),
        name="memory-entry",
    ),
    path(f"{_project}imports/", datasets.ImportsView.as_view(), name="imports"),
    path(f"{_project}exports/", datasets.ExportsView.as_view(), name="exports"),
    path(
        f"{_project}exports/<int:job_id>/download/",
        datasets.ExportDownloadView.as_view(),
        name="export-download",
    ),
    path(f"{_project}snapshots/", datasets.SnapshotsView.as_view(), name="snapshots"),
    path(f"{_project}pretag/", learning.PretagView.as_view(), name="pretag"),
    path(f"{_project}models/", learning.ModelsView.as_view(), name="models"),
    path(f"{_project}models/roll-back/", learning.RollBackView.as_view(), name="roll-back"),
    path(
        f"{_project}models/<int:model_id>/promote/", learning.PromoteView.as_view(), name="promote"
    ),
    path(
        f"{_project}models/<int:model_id>/judge/",
        learning.EvaluateModelView.as_view(),
        name="judge",
    ),
    path(
        f"{_project}automatic-training/",
        learning.AutomaticTrainingView.as_view(),
        name="automatic-training",
    ),
    path(f"{_project}canary/", learning.CanaryView.as_view(), name="canary"),
    path(
        f"{_project}models/<int:model_id>/canary/",
        learning.StartCanaryView.as_view(),
        name="start-canary",
    ),
    path(f"{_project}models/<int:model_id>/push/", learning.PushView.as_view(), name="push"),
    path(f"{_project}effort/", learning.EffortView.as_view(), name="effort"),
    path(f"{_project}promotions/", learning.PromotionsView.as_view(), name="promotions"),
    path(f"{_project}training-runs/", learning.TrainingRunsView.as_view(), name="training-runs"),
    path(f"{_project}training-runs/dry-run/", learning.DryRunView.as_view(), name="dry-run"),
    path(
        f"{_project}training-runs/<int:run_id>/",
        learning.TrainingRunView.as_view(),
        name="training-run",
    ),
    path(
        f"{_project}training-runs/<int:run_id>/cancel/",
        learning.TrainingRunCancelView.as_view(),
        name="training-run-cancel",
    ),
    path(f"{_project}jobs/", jobs.JobsView.as_view(), name="jobs"),
    path(f"{_project}jobs/<int:job_id>/", jobs.JobView.as_view(), name="job"),
    path(f"{_project}jobs/<int:job_id>/cancel/", jobs.JobCancelView.as_view(), name="job-cancel"),
]
