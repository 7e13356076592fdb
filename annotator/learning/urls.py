from django.urls import path

from annotator.learning import views

app_name = "learning"
urlpatterns = [
    path("pretag/", views.pretag, name="pretag"),
    path("models/", views.models, name="models"),
]
