"""The page that shows the changes between two snapshots."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.snapshots import reading
from annotator.datasets.snapshots.services import compare_snapshots


def diff_page(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the changes since another snapshot, by default the one before."""
    snapshot = model_admin.row(request, pk)
    others = Snapshot.objects.filter(project=snapshot.project, state=SnapshotState.READY).exclude(
        pk=pk
    )
    old = _snapshot_to_compare(request, snapshot, others)
    context: dict[str, Any] = {"snapshot": snapshot, "others": others, "old": old}
    if old is not None:
        try:
            difference = compare_snapshots(old=old, new=snapshot, actor=signed_in(request))
        except UserError as error:
            context["problem"] = str(error)
        else:
            context |= reading.difference_in_words(difference)
    return model_admin.page(
        request,
        "admin/datasets/diff.html",
        f"Snapshot {snapshot.number}: changes",
        **context,
    )


def _snapshot_to_compare(
    request: HttpRequest, snapshot: Snapshot, others: QuerySet[Snapshot]
) -> Snapshot | None:
    number = request.GET.get("with", "")
    if number.isdecimal() and len(number) < 10:
        return others.filter(number=int(number)).first()
    return others.filter(number__lt=snapshot.number).first()
