"""Management commands that do a job in their own process."""

from __future__ import annotations

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand
from annotator.common.errors import UserError
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.services import run_here, run_inline


class JobCommand(JsonCommand):
    """A command whose work is one job, done here and now by the same handler that a worker would
    use."""

    def run_job(
        self, *, kind: str, scope: str, payload: Payload, waiting: Job | None = None
    ) -> Job:
        """The finished job, where there is one ``waiting`` that asks for the same, that one.

        Raises ``UserError`` with the job's sentence where it did not succeed.
        """
        if waiting is not None:
            job = run_here(job=waiting, on_progress=self.progress)
        else:
            job = run_inline(
                kind=kind, scope=scope, payload=payload, actor=SYSTEM, on_progress=self.progress
            )
        if not job.is_final:
            raise UserError(
                "A worker has just begun with this. Wait for its end; the project's page shows how"
                " far it is."
            )
        if job.state == JobState.CANCELLED:
            raise UserError(
                "The job was cancelled. What was finished stays; run the command again to go on."
            )
        if job.state != JobState.SUCCEEDED:
            raise UserError(job.error or "The job did not end; look into the log.")
        return job
