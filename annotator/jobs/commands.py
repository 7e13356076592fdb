"""Management commands that do a job in their own process."""

from __future__ import annotations

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand
from annotator.common.errors import UserError
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.services import run_here, run_inline


class JobCommand(JsonCommand):
    """A command that runs one job in its own process, by the handler that workers use."""

    def run_job(
        self, *, kind: str, scope: str, payload: Payload, waiting: Job | None = None
    ) -> Job:
        """Run a new job, or the ``waiting`` one that asks for the same; return it.

        Raises ``UserError`` with the job's error if it did not succeed.
        """
        if waiting is not None:
            job = run_here(job=waiting, on_progress=self.progress)
        else:
            job = run_inline(
                kind=kind, scope=scope, payload=payload, actor=SYSTEM, on_progress=self.progress
            )
        if not job.is_final:
            raise UserError(
                "A worker has just started this job. Wait until it ends; the project's page shows"
                " its progress."
            )
        if job.state == JobState.CANCELLED:
            raise UserError(
                "The job was cancelled. Finished work is kept; run the command again to continue."
            )
        if job.state != JobState.SUCCEEDED:
            raise UserError(job.error or "The job did not end. Read the log.")
        return job
