from django.urls import path

from annotator.corpus.views import figure as figure_views
from annotator.corpus.views import pages as views

app_name = "corpus"
urlpatterns = [
    path("new/", views.create, name="create"),
    path("<slug:slug>/", views.project, name="project"),
    path("<slug:slug>/documents/", views.documents, name="documents"),
    path("<slug:slug>/documents/<int:document_id>/", views.document, name="document"),
    path("<slug:slug>/documents/<int:document_id>/figure/", figure_views.figure, name="figure"),
    path(
        "<slug:slug>/documents/<int:document_id>/figure/image/",
        figure_views.figure_image,
        name="figure_image",
    ),
    path(
        "<slug:slug>/documents/<int:document_id>/figure/upload/",
        figure_views.figure_upload,
        name="figure_upload",
    ),
    path(
        "<slug:slug>/documents/<int:document_id>/figure/remove/",
        figure_views.figure_remove,
        name="figure_remove",
    ),
    path(
        "<slug:slug>/documents/<int:document_id>/figure/boxes/",
        figure_views.figure_boxes,
        name="figure_boxes",
    ),
    path("<slug:slug>/import/", views.import_page, name="import"),
    path("<slug:slug>/import/<int:job_id>/", views.import_report, name="import_report"),
    path("<slug:slug>/members/", views.members, name="members"),
    path("<slug:slug>/members/<int:user_id>/remove/", views.remove, name="remove_member"),
]
