"""Downloads of a snapshot."""

from __future__ import annotations

from django.http import FileResponse, Http404, HttpRequest, StreamingHttpResponse

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.datasets.snapshots import archives
from annotator.datasets.snapshots.services import snapshot_archive, snapshot_file


def download(
    model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int, name: str
) -> StreamingHttpResponse | FileResponse:
    """Send an archive of one form, or one of the lists beside the rows."""
    snapshot, user = model_admin.row(request, pk), signed_in(request)
    try:
        if name not in archives.FORMS:
            return FileResponse(
                snapshot_file(snapshot=snapshot, name=name, actor=user).open("rb"),
                as_attachment=True,
                filename=name,
            )
        pieces = snapshot_archive(snapshot=snapshot, form=name, actor=user)
    except UserError as error:
        raise Http404(str(error)) from error
    headers = {"Content-Disposition": f'attachment; filename="{archives.stem(snapshot, name)}.zip"'}
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)
