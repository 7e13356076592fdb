from django.urls import path

from annotator.jobs.views.job import job, job_cancel

app_name = "jobs"
urlpatterns = [
    path("<int:job_id>/", job, name="job"),
    path("<int:job_id>/cancel/", job_cancel, name="job_cancel"),
]
