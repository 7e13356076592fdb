"""The checker of words finds what the glossary replaces, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import check_words
from scripts.check_words import Text

ROOT = Path(__file__).resolve().parents[2]


def found_in(prose: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    text = Text(Path("annotator/some.py"), 1, prose, kind)
    monkeypatch.setattr(check_words, "texts", lambda: iter([text]))
    monkeypatch.setattr(check_words, "_relative_docstrings", lambda: iter([]))
    return list(check_words.findings())


def test_a_replaced_word_is_found_with_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    [finding] = found_in("The legends were Swept away.", "message", monkeypatch)
    assert finding == 'annotator/some.py:1: "Swept" in a message; write: bulk-accepted'


@pytest.mark.parametrize(
    "prose",
    [
        "swept",
        "the option --swept-cap of the command",
        "the key `swept` of a row",
        'value="swept" in a form',
        "The floor was sweptback.",
    ],
)
def test_stored_values_and_names_are_not_found(prose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_in(prose, "message", monkeypatch) == []


def test_sentences_of_screens_are_drawn_by_seed() -> None:
    command = [sys.executable, "scripts/check_words.py", "--sample", "3", "--seed", "5"]
    first, again = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == again
    assert len(first.splitlines()) == 3
