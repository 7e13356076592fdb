"""What the tests need of the machine, and what happens where it is missing.

A missing thing skips the tests that need it, and pytest's summary says so. With ``CI=true`` it
fails them instead, so that no test is lost unseen. A machine that lacks a thing by design names it
in ``SD_TEST_WITHOUT`` (members of ``Need`` between spaces). So a CI that has no ``../shared``
beside the repository runs with ``CI=true SD_TEST_WITHOUT="reference-data archive"``; without that
it fails.
"""

from __future__ import annotations

import os
from enum import StrEnum

import pytest


class Need(StrEnum):
    """A thing that not every machine has, as ``SD_TEST_WITHOUT`` names it."""

    CHROMIUM = "chromium"
    NODE = "node"
    STORES = "stores"  # PostgreSQL and Redis
    REFERENCE_DATA = "reference-data"
    ARCHIVE = "archive"
    SMALL_DISK = "small-disk"
    SETPRIV = "setpriv"
    INT8 = "int8"


def is_ci() -> bool:
    """Return whether the environment says ``CI=true``, as CI services do."""
    return os.environ.get("CI") == "true"


def is_required(what: Need) -> bool:
    """Return whether tests that lack ``what`` fail rather than skip."""
    return is_ci() and what not in os.environ.get("SD_TEST_WITHOUT", "").split()


def need(what: Need, *, found: bool, otherwise: str) -> None:
    """Skip the test, or fail it where ``what`` is required, unless ``what`` was found.

    ``otherwise`` is the sentence that says what is missing.
    """
    if found:
        return
    if is_required(what):
        pytest.fail(
            f"{otherwise} CI may not lack it, unless SD_TEST_WITHOUT names {what}.", pytrace=False
        )
    pytest.skip(otherwise)
