"""The page that lists the panels of a snapshot with their provenance."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from annotator.common.paging import PAGE_SIZE, keyset_page
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.datasets.admin.splits import SPLITS_IN_WORDS
from annotator.datasets.snapshots import reading
from ner_engine.split import SPLITS


def rows_page(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the panels of one split with their provenance, a page at a time."""
    snapshot = model_admin.row(request, pk)
    split = request.GET.get("split", "train")
    if split not in SPLITS or not snapshot.is_ready:
        raise Http404("There is no such split, or the snapshot is not ready.")
    rows = snapshot.rows.filter(split=split).select_related("document")
    page = keyset_page(rows, request.GET, size=PAGE_SIZE)
    return model_admin.page(
        request,
        "admin/datasets/rows.html",
        f"Snapshot {snapshot.number}, {split}",
        snapshot=snapshot,
        split=split,
        splits=SPLITS_IN_WORDS,
        rows=reading.panels_of(snapshot, page.rows),
        page=page,
    )
