from django.urls import path

from annotator.dashboard.views.guide import guide, guide_contents
from annotator.dashboard.views.healthz import healthz
from annotator.dashboard.views.home import home

app_name = "dashboard"
urlpatterns = [
    path("", home, name="home"),
    path("help/", guide_contents, name="guide_contents"),
    path("help/<path:name>/", guide, name="guide"),
    path("healthz", healthz, name="healthz"),
]
