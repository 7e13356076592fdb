from django.urls import path

from annotator.corpus.views.create import create
from annotator.corpus.views.document import document
from annotator.corpus.views.documents import documents
from annotator.corpus.views.figure import (
    figure,
    figure_boxes,
    figure_image,
    figure_remove,
    figure_upload,
)
from annotator.corpus.views.guideline import guideline
from annotator.corpus.views.import_documents import import_documents, import_documents_report
from annotator.corpus.views.members import members, members_remove
from annotator.corpus.views.new_defaults import new_defaults
from annotator.corpus.views.project import project

_LEGEND = "<slug:slug>/documents/<int:document_id>/"

app_name = "corpus"
urlpatterns = [
    path("new/", create, name="create"),
    path("<slug:slug>/", project, name="project"),
    path("<slug:slug>/documents/", documents, name="documents"),
    path(_LEGEND, document, name="document"),
    path(f"{_LEGEND}figure/", figure, name="figure"),
    path(f"{_LEGEND}figure/image/", figure_image, name="figure_image"),
    path(f"{_LEGEND}figure/upload/", figure_upload, name="figure_upload"),
    path(f"{_LEGEND}figure/remove/", figure_remove, name="figure_remove"),
    path(f"{_LEGEND}figure/boxes/", figure_boxes, name="figure_boxes"),
    path("<slug:slug>/guideline/", guideline, name="guideline"),
    path("<slug:slug>/import/", import_documents, name="import_documents"),
    path(
        "<slug:slug>/import/<int:job_id>/",
        import_documents_report,
        name="import_documents_report",
    ),
    path("<slug:slug>/new-defaults/", new_defaults, name="new_defaults"),
    path("<slug:slug>/members/", members, name="members"),
    path("<slug:slug>/members/<int:user_id>/remove/", members_remove, name="members_remove"),
]
