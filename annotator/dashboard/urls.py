from django.urls import path

from annotator.dashboard.views.healthz import healthz
from annotator.dashboard.views.home import home

app_name = "dashboard"
urlpatterns = [
    path("", home, name="home"),
    path("healthz", healthz, name="healthz"),
]
