"""Why a run of a job ends before its work is done."""

from __future__ import annotations

from annotator.common.errors import UserError


class JobStoppedError(Exception):
    """Base of the reasons to stop. A handler that catches it undoes what is half done, ends what it
    started, and raises it again."""


class JobCancelledError(JobStoppedError):
    """A user cancelled the job; it ends CANCELLED."""


class JobInterruptedError(JobStoppedError):
    """The worker is shutting down; the job goes back to PENDING and another worker resumes it."""


class JobPostponedError(JobInterruptedError):
    """A resource of the job is in use; it goes back to PENDING with this message.

    It is tried again within a minute.
    """


class JobLostError(JobStoppedError):
    """Another worker has the job, because this run was silent too long; it must not write."""


class JobConflictError(UserError):
    """Such a job is already waiting or running in the same scope."""


class UnknownJobKindError(UserError):
    """No handler is registered for the kind; an older worker may be running."""


class PayloadError(UserError):
    """The stored payload of a job is not what its kind takes; ``problem`` says what is wrong."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"This job cannot run: {problem}. Start it again.")


class BrokerError(Exception):
    """The broker cannot be reached. The job's row stays, and the sweep sends it later."""
