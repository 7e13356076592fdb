"""Texts and spans as hostile as legends get: astral letters, combining marks, no-break and thin
spaces, CRLF, right-to-left."""

from __future__ import annotations

from hypothesis import strategies as st

from ner_engine.schema import (
    BORING,
    ENTITY_LABELS,
    ROLE_BEARING_LABELS,
    ROLES,
    Document,
    Segment,
    Span,
)
from ner_engine.text import trim, words

NASTY = (
    *(
        "𝛼",
        "😀",
        "👩‍🔬",
        "e\u0301",
        "\u00a0",
        "\u2009",
        "\u00ad",
        "\r\n",
        "\t",
        "עב",
        "−",
        "±",
        "ﬁ",
        "²",
        "_",
    ),
    *("<", "&amp;", "/", "-", " ", "  ", "Bax", "p53", "IL-6"),
)

any_character = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.lists(st.one_of(st.sampled_from(NASTY), any_character), min_size=1, max_size=40).map(
    "".join
)
texts_with_something = texts.filter(lambda text: bool(text.strip()))


def span(text: str, start: int, end: int, label: str, role: str = "", key: str = "") -> Span:
    return Span(start, end, label, text[start:end], role, id=key)


@st.composite
def trimmed_spans(draw: st.DrawFn, text: str) -> list[Span]:
    """Any spans that a document may hold: they may nest, overlap, touch, and lie inside words."""
    found: list[Span] = []
    for number in range(draw(st.integers(0, 5))):
        first = draw(st.integers(0, len(text)))
        start, end = trim(text, first, draw(st.integers(first, len(text))))
        if start < end:
            label = draw(st.sampled_from(ENTITY_LABELS))
            role = draw(
                st.sampled_from(["", *(ROLES if label in ROLE_BEARING_LABELS else [BORING])])
            )
            found.append(span(text, start, end, label, role, f"t{number}"))
    return found


@st.composite
def word_spans(draw: st.DrawFn, text: str) -> list[Span]:
    """Spans that words can hold: whole words, nothing shared, no white space at an end."""
    cut = words(text)
    found: list[Span] = []
    index = 0
    while index < len(cut):
        length = draw(st.integers(0, 3))
        piece = cut[index : index + max(1, length)]
        start, end = piece[0].start, piece[-1].end
        if length and trim(text, start, end) == (start, end):
            label = draw(st.sampled_from(ENTITY_LABELS))
            role = draw(
                st.sampled_from(["", *(ROLES if label in ROLE_BEARING_LABELS else [BORING])])
            )
            found.append(span(text, start, end, label, role))
        index += len(piece)
    return found


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(texts_with_something)
    middle = draw(st.integers(0, len(text)))
    panels = (
        Segment(0, middle, "p1", "A", ("p1b",), "a.png"),
        Segment(middle, len(text), "p2", "B", attributes={"n": 1}),
    )
    return Document(
        id=draw(st.sampled_from(["f1", "10.5555/x#f2"])),
        text=text,
        doi=draw(st.sampled_from(["", "10.5555/x"])),
        title=draw(st.sampled_from(["", "Bax 𝛼"])),
        label=draw(st.sampled_from(["", "Figure 1"])),
        segments=draw(st.sampled_from([(), panels])),
        gold=tuple(draw(trimmed_spans(text))),
        suggestions=tuple(draw(trimmed_spans(text))),
        attributes=draw(st.sampled_from([{}, {"gold": True, "names": ["a", None, 1.5]}])),
    )
