from django.urls import path

from annotator.datasets.views.document_rows import document_rows
from annotator.datasets.views.export import export, export_download, export_report

app_name = "datasets"
urlpatterns = [
    path("export/", export, name="export"),
    path("export/<int:job_id>/", export_report, name="export_report"),
    path("export/<int:job_id>/download/", export_download, name="export_download"),
    path("documents/<int:document_id>/snapshots/", document_rows, name="document_rows"),
]
