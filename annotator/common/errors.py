"""Errors that a person can do something about."""

from __future__ import annotations


class UserError(Exception):
    """Carries one sentence for the user: what is wrong and what to do. Pages show it, commands print it, jobs end with it."""
