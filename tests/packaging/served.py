"""A demo that serves, in a process of its own, for tests that look at it from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0


def environment(var: Path) -> dict[str, str]:
    """As a user has it who named nothing but the folder."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "SD_SECRET_KEY"}
    }
    return inherited | {"SD_VAR": str(var)}


class Served:
    """A demo that serves, in a session of its own, with what it prints."""

    def __init__(self, var: Path, out: Path) -> None:
        self.var = var
        self.out = out
        with out.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo"],
                cwd=ROOT,
                env=environment(var),
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.printed())):
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.2)
        return found

    def printed(self) -> str:
        return self.out.read_text(encoding="utf-8")

    @property
    def address(self) -> str:
        return self.wait_for(r"runs at (http://127\.0\.0\.1:\d+/)")[1]

    @property
    def passwords(self) -> dict[str, str]:
        lines = (self.var / "demo-credentials").read_text(encoding="utf-8").splitlines()
        return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
