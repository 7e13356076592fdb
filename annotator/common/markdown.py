"""Markdown as pages: a fixed set of elements, each of them readable by everybody.

HTML in a text is shown as text and an image as its description. Tables can be scrolled by keys,
and their first row and column are headers. Which links a page may have, its caller decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.html import escape
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

#: The key of the ``env`` that names the class of the region around each table.
SCROLL_CLASS = "scroll_class"


def make_safe(parser: MarkdownIt) -> MarkdownIt:
    """Return the parser with tables, and with these rules for what a page may hold.

    It must have been made with ``{"html": False}``.
    """
    parser.enable("table")
    parser.core.ruler.push("page", _fit_into_page)
    parser.add_render_rule("image", _image_as_text)
    parser.add_render_rule("fence", _code)
    parser.add_render_rule("code_block", _code)
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", _close_table)
    return parser


# From tokens of the text to tokens of the page


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


def _change_cell(tokens: Sequence[Token], number: int, scope: str) -> None:
    """Make the cell that opens here a header with this scope if it has both scope and text."""
    opening, content, closing = tokens[number : number + 3]
    opening.attrs = {}  # the text's alignment is an inline style, which pages refuse
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
    name = escape(env[SCROLL_CLASS])
    region = f'<div class="{name}" tabindex="0" role="region" aria-label="Table {number}">'
    return f"{region}<table>\n"


def _close_table(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    return "</table></div>\n"
