from django.urls import path

from annotator.review import views

app_name = "review"
urlpatterns = [
    path("queue/", views.queue, name="queue"),
    path("review/", views.next_in_queue, name="next"),
    path("review/<int:document_id>/", views.legend, name="legend"),
    path("review/<int:document_id>/operations/", views.operations, name="operations"),
    path("review/<int:document_id>/lease/", views.lease, name="lease"),
]
