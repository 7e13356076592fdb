from django.urls import path

from annotator.review import (
    views,
    views_compare,
    views_doubts,
    views_identifiers,
    views_live,
    views_remarks,
    views_settings,
    views_suspicions,
)

app_name = "review"
urlpatterns = [
    path("queue/", views.queue, name="queue"),
    path("review/", views.next_in_queue, name="next"),
    path("review/<int:document_id>/", views.legend, name="legend"),
    path("review/<int:document_id>/operations/", views.operations, name="operations"),
    path("review/<int:document_id>/state/", views_live.state, name="state"),
    path("review/<int:document_id>/same/", views_live.same, name="same"),
    path("review/settings/", views_settings.settings, name="settings"),
    path("review/<int:document_id>/doubts/", views_doubts.doubts, name="doubts"),
    path("review/<int:document_id>/suspicions/", views_suspicions.keep, name="suspicions"),
    path("review/<int:document_id>/remarks/", views_remarks.remarks, name="remarks"),
    path("review/<int:document_id>/history/", views_remarks.legend_history, name="history"),
    path(
        "review/<int:document_id>/identifiers/", views_identifiers.identifiers, name="identifiers"
    ),
    path("review/<int:document_id>/compare/", views_compare.compare_versions, name="compare"),
    path("review/<int:document_id>/lease/", views.lease, name="lease"),
]
