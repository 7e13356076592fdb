"""Jobs of all projects, and workers, in the admin site; for superusers."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from annotator.common.states import admin_colours
from annotator.jobs.models import Job, JobState, Worker
from annotator.jobs.registry import job_title


class _ReadOnlyAdmin(ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(_ReadOnlyAdmin):
    list_display = (
        "title",
        "shown_state",
        "queue",
        "scope",
        "created_by",
        "created_at",
        "finished_at",
        "message",
    )
    list_filter = ("state", "queue", "kind")
    search_fields = ("=scope", "message", "error")
    list_select_related = ("created_by",)

    @display(description="Job")
    def title(self, job: Job) -> str:
        return f"{job_title(job)} {job.pk}"

    @display(description="State", ordering="state", label=admin_colours(JobState))
    def shown_state(self, job: Job) -> str:
        return job.get_state_display()


@admin.register(Worker)
class WorkerAdmin(_ReadOnlyAdmin):
    list_display = ("name", "listens_to", "started_at", "silent_for")

    @display(description="Queues")
    def listens_to(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    @display(description="Last heartbeat", ordering="seen_at")
    def silent_for(self, worker: Worker) -> str:
        return f"{round((timezone.now() - worker.seen_at).total_seconds())} s ago"
