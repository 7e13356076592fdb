"""Templates: short lines, and no white space where a page shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
MAX_COLUMNS = 120
#: Elements whose style shows white space as it is stored (white-space: pre-wrap in static/css).
SHOWS_WHITE_SPACE = re.compile(
    r"<(\w+)\s+(?:[^>]*\s)?"
    r'class="(?:block-text|compare-text|legend-plain|entity-word|id-string)"[^>]*>'
    r"(.*?)</\1>",
    re.DOTALL,
)
TAG = re.compile(r"<[^>]*>|{%.*?%}|{{.*?}}", re.DOTALL)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_is_too_long(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > MAX_COLUMNS] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_white_space_is_added_to_a_text(path: Path) -> None:
    for _, content in SHOWS_WHITE_SPACE.findall(path.read_text(encoding="utf-8")):
        assert TAG.sub("", content) == ""


def test_the_texts_of_legends_are_checked() -> None:
    checked = [
        path.name
        for path in TEMPLATES
        if SHOWS_WHITE_SPACE.search(path.read_text(encoding="utf-8"))
    ]
    assert {"_text.html", "_panel.html", "_compare_text.html", "legend_list.html"} <= set(checked)
