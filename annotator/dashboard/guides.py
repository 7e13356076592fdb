"""The guides under ``docs/guide`` as pages of the site.

A guide's name is its path without the ending: "curators", "admin/people". The contents of a folder
are its README: "", "admin". Links lead to other guides that the reader may open and to the web;
any other link is shown as its text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

from annotator.common.markdown import SCROLL_CLASS, make_safe

#: The folder of the guides that only staff read.
STAFF: Final = "admin"
_README: Final = "README"
_NO_LETTER: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Section:
    """A second heading of a guide."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide as a page: its title, its sections, and the HTML below the title."""

    name: str
    title: str
    sections: Sequence[Section]
    html: SafeString


def is_for_staff(name: str) -> bool:
    """Return whether only staff may read the guide."""
    return name.split("/", maxsplit=1)[0] == STAFF


def read_guide(name: str, *, is_staff: bool) -> Guide | None:
    """Return the guide, or None if there is none of that name."""
    path = _paths().get(name)
    if path is None:
        return None
    parser = make_safe(MarkdownIt("commonmark", {"html": False}))
    env = {SCROLL_CLASS: "table-scroll"}
    tokens = parser.parse(path.read_text(encoding="utf-8"), env)
    title, body = _split_title(tokens)
    sections = list(_number_sections(body))
    folder = posixpath.dirname(path.relative_to(settings.GUIDES_DIR).as_posix())
    for token in body:
        if token.children:
            token.children = list(_links_of_site(token.children, folder, is_staff))
    # The parser escapes all text of a guide, and ``make_safe`` names what it lets through.
    html: str = parser.renderer.render(body, parser.options, env)
    return Guide(name, title, sections, SafeString(html))


def guide_url(name: str) -> str:
    """Return the address of a guide on the site."""
    if name:
        return reverse("dashboard:guide", args=[name])
    return reverse("dashboard:guide_contents")


def _paths() -> dict[str, Path]:
    """Return the files of all guides by name."""
    paths = {}
    for path in settings.GUIDES_DIR.rglob("*.md"):
        paths[_name_of(path.relative_to(settings.GUIDES_DIR).as_posix())] = path
    return paths


def _name_of(file: str) -> str:
    folder, _, stem = file.removesuffix(".md").rpartition("/")
    if stem == _README:
        return folder
    return f"{folder}/{stem}".lstrip("/")


def _split_title(tokens: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """Return the text of the first heading, and the tokens after it."""
    return _text_of(tokens[1]), tokens[3:]


def _text_of(heading: Token) -> str:
    return "".join(token.content for token in heading.children or ())


def _number_sections(tokens: Sequence[Token]) -> Iterator[Section]:
    """Give the headings the anchors that GitHub gives them; yield those of second rank."""
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            title = _text_of(tokens[number + 1])
            anchor = _NO_LETTER.sub("", title.lower()).replace(" ", "-")
            token.attrSet("id", anchor)
            if token.tag == "h2":
                yield Section(anchor, title)


def _links_of_site(tokens: Sequence[Token], folder: str, is_staff: bool) -> Iterator[Token]:
    """Yield the tokens with links of the site; those that lead nowhere here lose their tags."""
    is_dropped = False
    for token in tokens:
        if token.type == "link_open":
            url = _url_on_site(str(token.attrs["href"]), folder, is_staff)
            is_dropped = not url
            token.attrSet("href", url)
        if not (is_dropped and token.type in ("link_open", "link_close")):
            yield token


def _url_on_site(href: str, folder: str, is_staff: bool) -> str:
    """Return the address that a link of a guide in this folder has on the site, "" if none."""
    parts = urlsplit(href)
    if parts.scheme in ("http", "https") or (parts.fragment and not parts.path):
        return href
    name = _name_of(posixpath.normpath(posixpath.join(folder, parts.path)))
    if name not in _paths() or (is_for_staff(name) and not is_staff):
        return ""
    return guide_url(name) + (f"#{parts.fragment}" if parts.fragment else "")
