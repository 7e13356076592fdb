"""Identifier candidates that the page asks for by itself."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from tests.annotator.review.conftest import MakeLegend

pytestmark = pytest.mark.django_db


def test_a_question_about_a_replaced_suggestion_is_no_error(
    client: Client, make_legend: MakeLegend, curator: User
) -> None:
    document = make_legend()
    client.force_login(curator)
    address = reverse("review:candidates", args=[document.project.slug, document.pk])
    assert client.get(address, {"entity": "s0"}).json() == {"candidates": []}
    document.layers.all().delete()  # as a new pre-tagging does
    response = client.get(address, {"entity": "s0"})
    assert response.status_code == 200
    assert response.json() == {"candidates": None}
