"""The state of a job, document, run, series or snapshot as a badge."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from annotator.common.states import Badge

register = template.Library()


@register.simple_tag
def state_badge(row: Any) -> SafeString:
    """Return the badge of the row's state: ``{% state_badge job %}``.

    If the row ``is_stopping``, the badge says so until it has stopped.
    """
    if getattr(row, "is_stopping", False):
        return _badge("stopping", Badge.WARN)
    state = row.states.of(row)
    return _badge(state.label, state.badge)


def _badge(words: str, badge: Badge) -> SafeString:
    return format_html('<span class="badge badge-{}">{}</span>', badge, words)
