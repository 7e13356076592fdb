"""What every test may ask for: reference material that lies beside the repository, or the reason to
skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast examples come depends on what else the machine does; what they show does not.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parents[1]


def _reference(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable) or ROOT / default)
    if not path.exists():
        pytest.skip(f"{variable} names nothing that exists ({path.name} is absent)")
    return path


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference rows, vocabularies and articles (``SD_SHARED``, default beside the
    repository)."""
    return _reference("SD_SHARED", "../shared")


@pytest.fixture(scope="session")
def sourcedata_zip() -> Path:
    """The archive of curated SourceData papers (``SOURCEDATA_ZIP``, default beside the
    repository)."""
    return _reference("SOURCEDATA_ZIP", "../shared/sourcedata/sourcedata-train.zip")
