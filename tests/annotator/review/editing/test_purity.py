"""The pure part of editing needs neither settings nor a database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = """
import sys
from annotator.review.editing.edit import Edit
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.operations import EditContext, Legend, apply

bax = Entity("s1", 0, 3, "GENEPROD")
state = LegendState("Bax", decided={}, suggested={"s1": bax}, labels=frozenset({"GENEPROD"}))
edit = Edit("0" * 32, "accept", {"entity": "s1"})
change = apply(EditContext(legend=Legend(1, state), actor_id=1), edit)
print(change.own.after.decided["s1"].verdict)

from django.conf import settings
assert not settings.configured
assert not [name for name in sys.modules if name.endswith(".models") and "annotator" in name]
"""


def test_an_edit_is_applied_without_django_settings() -> None:
    environment = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "accepted\n"
