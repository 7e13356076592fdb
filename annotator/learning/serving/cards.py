"""Model cards as pages.

A card is a file in the model's folder, which anybody may have written. Its Markdown becomes HTML of
a fixed set of elements: HTML in the card is shown as text, an image as its description, and only
links to web addresses are links.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from annotator.common.markdown import SCROLL_CLASS, make_safe
from annotator.learning.models import ModelVersion
from annotator.learning.serving.archives import CARD
from annotator.learning.tagging.checkpoints import inspect_model
from ner_engine.registry.cards import split_card

_MAX_CHARACTERS: Final = 200_000
_WEB: Final = frozenset({"http", "https"})


def card_of(model: ModelVersion) -> SafeString:
    """Return the card in the model's folder as HTML, "" if there is none.

    Raises ``EngineError`` if the folder is missing.
    """
    path = inspect_model(model.path).folder / CARD
    if not path.is_file():
        return SafeString("")
    with path.open(encoding="utf-8", errors="replace") as stream:
        return card_html(stream.read(_MAX_CHARACTERS))


def card_html(card: str) -> SafeString:
    """Return a card in Markdown as HTML, without its front matter."""
    _, markdown = split_card(card)
    # The parser escapes all text of the card; see the module's docstring for what it lets through.
    html: str = _parser().render(markdown, {SCROLL_CLASS: "sdc-scroll"})
    return SafeString(html)


class _CardParser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser's own name
        return _is_web_address(url)


def _parser() -> MarkdownIt:
    parser = make_safe(_CardParser("commonmark", {"html": False}))
    parser.core.ruler.push("links", _distrust_links)
    return parser


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in _WEB and bool(parts.netloc)


def _distrust_links(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "nofollow noopener noreferrer")
