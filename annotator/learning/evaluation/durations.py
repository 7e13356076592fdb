"""Durations in words."""

from __future__ import annotations


def duration_in_words(seconds: float | None) -> str:
    """Return a duration such as "42 s", "7 min" or "3 h 20 min", "" if it is unknown."""
    if seconds is None:
        return ""
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min"
