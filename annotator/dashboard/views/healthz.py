"""The health check for monitoring."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.jobs import broker
from annotator.jobs.services import live_queues


@never_cache
@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if this process can serve pages, or 503 if it cannot reach its database.

    The answer also names a missing broker or worker, which only delays jobs: it is still 200.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        queues = sorted(live_queues())
    except DatabaseError:
        return JsonResponse({"database": "away"}, status=503)
    health = {"database": "ok", "broker": "away", "queues": queues}
    if broker.is_reachable():
        health["broker"] = "ok"
    return JsonResponse(health)
