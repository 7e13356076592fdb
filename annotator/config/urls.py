"""Where each room's pages begin."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("annotator.dashboard.urls")),
    path("accounts/", include("annotator.accounts.urls")),
    path("jobs/", include("annotator.jobs.urls")),
    path("projects/", include("annotator.corpus.urls")),
    path("projects/<slug:slug>/", include("annotator.review.urls")),
    path("projects/<slug:slug>/", include("annotator.datasets.urls")),
    path("projects/<slug:slug>/", include("annotator.learning.urls")),
    path("api/v1/", include("annotator.api.urls")),
    path("admin/", admin.site.urls),
]
