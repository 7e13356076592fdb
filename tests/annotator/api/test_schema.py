"""The OpenAPI description is complete: it is made without a warning, is valid, and has every
address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.urls import get_resolver

from annotator.accounts.models import User
from tests.annotator.api.conftest import Program


def test_the_schema_is_valid_and_made_without_a_warning(tmp_path: Path) -> None:
    out = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(out))
    schema = yaml.safe_load(out.read_text(encoding="utf-8"))
    n_addresses = len(get_resolver("annotator.api.urls").url_patterns) - 1
    assert len(schema["paths"]) == n_addresses
    for path, methods in schema["paths"].items():
        for method, facts in methods.items():
            assert facts["description"], f"{method} {path} says nothing about itself"
            assert {"token": []} in facts["security"]


@pytest.mark.django_db
def test_the_schema_is_served(viewer: User, program_of: Callable[[User | None], Program]) -> None:
    schema = program_of(viewer).get("schema/").json()
    assert schema["openapi"].startswith("3.")
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
