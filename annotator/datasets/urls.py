from django.urls import path

from annotator.datasets import views

app_name = "datasets"
urlpatterns = [
    path("export/", views.export_page, name="export"),
    path("export/<int:job_id>/", views.export_report, name="export_report"),
    path("export/<int:job_id>/download/", views.download, name="download"),
    path("documents/<int:document_id>/snapshots/", views.document_rows, name="document_rows"),
]
