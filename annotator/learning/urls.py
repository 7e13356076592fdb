"""URLs of the learning pages of a project."""

from django.urls import path

from annotator.learning.views.models import models
from annotator.learning.views.pretag import pretag
from annotator.learning.views.suggestions import suggestions, suggestions_reset

app_name = "learning"
urlpatterns = [
    path("pretag/", pretag, name="pretag"),
    path("models/", models, name="models"),
    path("suggestions/", suggestions, name="suggestions"),
    path("suggestions/reset/", suggestions_reset, name="suggestions_reset"),
]
