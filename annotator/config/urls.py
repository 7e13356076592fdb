"""The addresses of each app's pages."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from annotator.learning.views.known_models import known_models
from annotator.review.views.keys import keys

# The admin site uses the site's own sign-in, with single sign-on and second factors.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("", include("annotator.dashboard.urls")),
    path("accounts/", include("annotator.accounts.urls")),
    path("keys/", keys, name="keys"),
    path("models/", known_models, name="known_models"),
    path("jobs/", include("annotator.jobs.urls")),
    path("projects/", include("annotator.corpus.urls")),
    path("projects/<slug:slug>/", include("annotator.review.urls")),
    path("projects/<slug:slug>/", include("annotator.datasets.urls")),
    path("projects/<slug:slug>/", include("annotator.learning.urls")),
    path("api/v1/", include("annotator.api.urls")),
    path("admin/", admin.site.urls),
]
