"""Addresses of the review pages; each name is the name of its file in ``views``."""

from django.urls import path

from annotator.review.views.candidates import candidates
from annotator.review.views.comments import comments
from annotator.review.views.compare import compare_versions
from annotator.review.views.history import legend_history
from annotator.review.views.identifiers import identifiers
from annotator.review.views.label_errors import label_errors
from annotator.review.views.lease import lease
from annotator.review.views.legend import legend
from annotator.review.views.memory import memory
from annotator.review.views.next import next_in_queue
from annotator.review.views.operations import operations
from annotator.review.views.practice import (
    practice,
    practice_operations,
    practice_result,
    practice_state,
)
from annotator.review.views.project_identifiers import project_identifiers
from annotator.review.views.queue import queue
from annotator.review.views.same import same
from annotator.review.views.settings import settings
from annotator.review.views.state import state
from annotator.review.views.uncertain import uncertain

app_name = "review"
_LEGEND = "review/<int:document_id>/"
urlpatterns = [
    path("queue/", queue, name="queue"),
    path("review/", next_in_queue, name="next"),
    path("identifiers/", project_identifiers, name="project_identifiers"),
    path("memory/", memory, name="memory"),
    path("review/settings/", settings, name="settings"),
    path("practice/", practice, name="practice"),
    path("practice/operations/", practice_operations, name="practice_operations"),
    path("practice/state/", practice_state, name="practice_state"),
    path("practice/result/", practice_result, name="practice_result"),
    path(_LEGEND, legend, name="legend"),
    path(f"{_LEGEND}operations/", operations, name="operations"),
    path(f"{_LEGEND}state/", state, name="state"),
    path(f"{_LEGEND}same/", same, name="same"),
    path(f"{_LEGEND}lease/", lease, name="lease"),
    path(f"{_LEGEND}uncertain/", uncertain, name="uncertain"),
    path(f"{_LEGEND}label-errors/", label_errors, name="label_errors"),
    path(f"{_LEGEND}comments/", comments, name="comments"),
    path(f"{_LEGEND}history/", legend_history, name="history"),
    path(f"{_LEGEND}candidates/", candidates, name="candidates"),
    path(f"{_LEGEND}identifiers/", identifiers, name="identifiers"),
    path(f"{_LEGEND}compare/", compare_versions, name="compare"),
]
