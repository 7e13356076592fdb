"""Model cards as pages.

A card is a file in the model's folder, which anybody may have written. Its Markdown becomes HTML of
a fixed set of elements: HTML in the card is shown as text, an image as its description, and only
links to web addresses are links.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.html import escape
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

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
    html: str = _parser().render(markdown)
    return SafeString(html)


class _CardParser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser's own name
        return _is_web_address(url)


def _parser() -> MarkdownIt:
    parser = _CardParser("commonmark", {"html": False}).enable("table")
    parser.core.ruler.push("page", _fit_into_page)
    parser.add_render_rule("image", _image_as_text)
    parser.add_render_rule("fence", _code)
    parser.add_render_rule("code_block", _code)
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", _close_table)
    return parser


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in _WEB and bool(parts.netloc)


# From tokens of the card to tokens of the page


def _fit_into_page(state: StateCore) -> None:
    """Change the parsed tokens to those that the page shows."""
    tokens = state.tokens
    for number, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = "h2" if token.tag in ("h1", "h2") else "h3"
        elif token.type == "th_open":
            _change_cell(tokens, number, scope="col")
        elif token.type == "td_open":
            is_first = tokens[number - 1].type == "tr_open"
            _change_cell(tokens, number, scope="row" if is_first else "")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "nofollow noopener noreferrer")


def _change_cell(tokens: Sequence[Token], number: int, scope: str) -> None:
    """Make the cell that opens here a header with this scope if it has both scope and text."""
    opening, content, closing = tokens[number : number + 3]
    opening.attrs = {}  # the card's alignment is an inline style, which pages refuse
    if scope and content.content:
        opening.attrs = {"scope": scope}
        opening.tag = closing.tag = "th"
    else:
        opening.tag = closing.tag = "td"


# From tokens to HTML


def _image_as_text(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    return escape(renderer.renderInlineAsText(tokens[index].children, options, env))


def _code(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    return f'<pre tabindex="0">{escape(tokens[index].content)}</pre>\n'


def _open_table(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    number = sum(token.type == "table_open" for token in tokens[: index + 1])
    region = f'<div class="sdc-scroll" tabindex="0" role="region" aria-label="Table {number}">'
    return f"{region}<table>\n"


def _close_table(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    return "</table></div>\n"
