"""Filters on jobs for templates."""

from __future__ import annotations

from django import template
from django.contrib.auth.models import AnonymousUser

from annotator.accounts.models import User
from annotator.jobs import scopes, services
from annotator.jobs.models import Job
from annotator.jobs.registry import job_page, job_title

register = template.Library()

register.filter("title_of_job", job_title)
register.filter("page_of_job", job_page)
register.filter("place_of_job", scopes.place_of)
register.filter("nobody_listens", services.nobody_listens_for)
register.filter("waits_for_worker", services.waits_for_worker)
register.filter("broker_is_away", services.broker_is_away)


@register.filter
def plain_results(job: Job) -> list[tuple[str, str | int | float]]:
    """Return the words and numbers of a job's report, for jobs without a page of their own."""
    values = [
        (name.removeprefix("n_").replace("_", " ").capitalize(), value)
        for name, value in job.result.items()
    ]
    return [
        (name, value)
        for name, value in values
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    ]


@register.filter
def cancellable_by(job: Job, user: User | AnonymousUser) -> bool:
    return not job.is_final and job.cancel_requested_at is None and scopes.may_cancel(user, job)
