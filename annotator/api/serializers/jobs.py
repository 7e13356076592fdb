"""Jobs."""

from __future__ import annotations

from rest_framework import serializers

from annotator.jobs.models import Job


class JobSerializer(serializers.ModelSerializer[Job]):
    created_by = serializers.CharField(
        source="created_by.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "queue",
            "state",
            "n_done",
            "n_total",
            "message",
            "error",
            "result",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
            "cancel_requested_at",
        ]
        read_only_fields = fields
