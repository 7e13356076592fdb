"""The demo corpus and its markup: what others may rely on, and whether the hand-made tags are
consistent."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.demo_data import LEGENDS, load_demo
from annotator.demo_data.markup import LABELS, ROLELESS_LABELS, ROLES, read_inline, read_paper
from ner_engine.errors import FormatError
from ner_engine.schema import BORING, ENTITY_LABELS, ROLE_BEARING_LABELS, Document
from ner_engine.schema import ROLES as ALL_ROLES
from ner_engine.split import SPLITS, split_of

#: The one legend that is longer than the rest on purpose.
LONG_LEGEND = "sdc.demo.14-f1"
#: Untagged text that equals a tag elsewhere and means something else: (document, tag).
HOMONYMS = {("sdc.demo.10-f1", "N")}  # a mean with a macron, not the nucleocapsid gene

PAPER = """# a comment
@paper 10.5555/test
@paper-title A paper
@figure 1 gold
@title A title.
@label Figure 1
@panel A
(A) [[HeLa|cell:b]] cells without
[[ATG5|gene:c]].

@panel B, C
(B, C)   [[Bax|gene:m]][[Bak|gene:m]] and\\u{2009}[[LC3|gene]].
@figure 2 panels
@title Another.
@label Figure 2
@panel A
(A) Untagged.
"""


@pytest.fixture(scope="module")
def demo() -> list[Document]:
    return load_demo()


@pytest.fixture(scope="module")
def gold(demo: list[Document]) -> list[Document]:
    return [document for document in demo if document.attributes["gold"]]


def read(source: str) -> list[Document]:
    return list(read_paper(source, where="paper.txt"))


# The corpus


def test_the_demo_is_as_large_as_promised(demo: list[Document], gold: list[Document]) -> None:
    assert len(demo) >= 44
    assert len(gold) >= 24
    assert 12 <= len({document.doi for document in demo}) <= 14


def test_the_readme_gives_the_true_numbers(demo: list[Document], gold: list[Document]) -> None:
    readme = (LEGENDS.parent / "README.md").read_text(encoding="utf-8")
    assert (
        f"{len(demo)} figure legends of {len({document.doi for document in demo})} invented papers"
        in readme
    )
    assert f"{len(gold)} figures are gold" in readme
    assert f"In the other {len(demo) - len(gold)} only the panels are marked" in readme


def test_every_file_is_one_paper_with_its_own_doi(demo: list[Document]) -> None:
    assert len({document.doi for document in demo}) == len(list(LEGENDS.glob("*.txt")))
    assert all(document.doi.startswith("10.5555/") for document in demo)


def test_no_two_figures_share_an_id_or_a_text(demo: list[Document]) -> None:
    assert len({document.id for document in demo}) == len(demo)
    assert len({document.text for document in demo}) == len(demo)


def test_demo_papers_lie_in_all_splits_and_each_has_gold(
    gold: list[Document],
) -> None:
    assert {split_of(document.group) for document in gold} == set(SPLITS)


def test_figures_have_3_to_7_panels_and_120_to_350_words(
    demo: list[Document],
) -> None:
    for document in demo:
        n_words = len(document.text.split(" "))
        if document.id == LONG_LEGEND:
            assert n_words > 900
            continue
        assert 3 <= len(document.segments) <= 7, document.id
        assert 120 <= n_words <= 350, f"{document.id}: {n_words}"


def test_a_text_joins_title_label_and_panels_with_one_space(demo: list[Document]) -> None:
    for document in demo:
        panels = [document.text[segment.start : segment.end] for segment in document.segments]
        assert document.text == " ".join([document.title, document.label, *panels])


def test_panel_ids_are_unique_over_the_whole_demo(demo: list[Document]) -> None:
    ids = [segment.id for document in demo for segment in document.segments]
    assert len(set(ids)) == len(ids)


def test_each_panel_shows_its_letter_near_its_start(
    demo: list[Document],
) -> None:
    for document in demo:
        for segment in document.segments:
            head = document.text[segment.start : segment.start + 4].lower()
            assert segment.marker[0].lower() in head, f"{segment.id}: {head}"


def test_spans_fit_their_text_stand_in_order_and_never_overlap(gold: list[Document]) -> None:
    for document in gold:
        document.check()
        for before, after in zip(document.gold, document.gold[1:], strict=False):
            assert before.end <= after.start, f"{document.id}: {before.surface} {after.surface}"


def test_every_span_lies_within_one_panel(gold: list[Document]) -> None:
    for document in gold:
        for span in document.gold:
            assert any(
                segment.start <= span.start and span.end <= segment.end
                for segment in document.segments
            ), f"{document.id}: {span.surface}"


def test_span_ids_are_unique(gold: list[Document]) -> None:
    ids = [span.id for document in gold for span in document.gold]
    assert len(set(ids)) == len(ids)


def test_all_labels_occur_and_roles_only_where_allowed(
    gold: list[Document],
) -> None:
    spans = [span for document in gold for span in document.gold]
    assert {span.label for span in spans} == set(ENTITY_LABELS)
    assert {span.role for span in spans} == {*ALL_ROLES, ""}
    for span in spans:
        if span.role not in {"", BORING}:
            assert span.label in ROLE_BEARING_LABELS, span.surface
        if span.label in ROLELESS_LABELS:
            assert not span.role, span.surface


def test_figures_without_gold_carry_no_tags(
    demo: list[Document],
) -> None:
    for document in demo:
        if document.attributes["gold"]:
            assert len(document.gold) >= 15, document.id
        else:
            assert not document.gold, document.id
        assert not document.suggestions


def test_one_name_has_one_label_throughout(gold: list[Document]) -> None:
    labels = defaultdict(set)
    for document in gold:
        for span in document.gold:
            labels[span.surface.casefold()].add(span.label)
    assert {surface: found for surface, found in labels.items() if len(found) > 1} == {}


def test_a_name_tagged_once_is_tagged_in_every_gold_panel(gold: list[Document]) -> None:
    names = {span.surface for document in gold for span in document.gold}
    # short names are compared as written (SUBCELLULAR "ER"), longer ones at the start of a sentence
    # too
    forms = {
        form: name
        for name in names
        for form in ({name, name.lower(), name[0].upper() + name[1:]} if len(name) > 3 else {name})
    }
    pattern = re.compile(
        r"(?<!\w)(?:"
        + "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        + r")(?!\w)"
    )
    missed = []
    for document in gold:
        for segment in document.segments:
            for found in pattern.finditer(document.text, segment.start, segment.end):
                tagged = any(
                    span.start < found.end() and found.start() < span.end for span in document.gold
                )
                if not tagged and (document.id, found.group()) not in HOMONYMS:
                    missed.append((document.id, found.group(), found.start()))
    assert missed == []


def test_touching_and_sub_word_entities_occur(gold: list[Document]) -> None:
    touching = [
        (a.surface, b.surface)
        for document in gold
        for a, b in zip(document.gold, document.gold[1:], strict=False)
        if a.end == b.start
    ]
    assert ("Bax", "Bak") in touching
    assert ("GFP", "LC3") in touching
    inside = {
        document.text[span.start - 2 : span.end]
        for document in gold
        for span in document.gold
        if span.start >= 2
        and document.text[span.start - 1].isalpha()
        and document.text[span.start].isalpha()
    }
    assert "hoBak" in {piece[-5:] for piece in inside}


def test_the_nasty_characters_are_there(demo: list[Document]) -> None:
    text = "".join(document.text for document in demo)
    assert {
        "\u00a0",
        "\u2009",
        "\u00ad",
        "\u202f",
        "<",
        "\N{MATHEMATICAL ITALIC SMALL ALPHA}",
        "μ",
        "µ",
        "−",
        "±",
    } <= set(text)
    assert "&amp;" in text
    assert any(unicodedata.combining(char) for char in text)


# The markup


def test_a_paper_is_read_with_exact_offsets() -> None:
    first, second = read(PAPER)
    assert (
        first.text == "A title. Figure 1 (A) HeLa cells without ATG5. (B, C) BaxBak and\u2009LC3."
    )
    assert [(span.surface, span.label, span.role) for span in first.gold] == [
        ("HeLa", "CELL", "BORING"),
        ("ATG5", "GENEPROD", "CONTROLLED_VAR"),
        ("Bax", "GENEPROD", "MEASURED_VAR"),
        ("Bak", "GENEPROD", "MEASURED_VAR"),
        ("LC3", "GENEPROD", ""),
    ]
    assert [
        (segment.id, segment.marker, first.text[segment.start : segment.end])
        for segment in first.segments
    ] == [
        ("test-f1-A", "A", "(A) HeLa cells without ATG5."),
        ("test-f1-B,C", "B, C", "(B, C) BaxBak and\u2009LC3."),
    ]
    assert second.id == "test-f2"
    assert second.gold == ()
    assert second.attributes["gold"] is False


@pytest.mark.parametrize(
    ("old", "new", "part_of_message"),
    [
        ("@panel A\n(A) [[", "@panel\n(A) [[", "needs its letter"),
        ("[[HeLa|cell:b]]", "[[HeLa|line:b]]", "labels are"),
        ("[[HeLa|cell:b]]", "[[HeLa|cell:x]]", "roles c, m, b"),
        ("[[HeLa|cell:b]]", "[[HeLa|cell:m]]", "only role is b"),
        ("[[HeLa|cell:b]]", "[[HeLa|assay:b]]", "has no role"),
        ("[[HeLa|cell:b]]", "[[HeLa |cell:b]]", "white space"),
        ("[[HeLa|cell:b]]", "[[|cell:b]]", "empty"),
        ("[[HeLa|cell:b]]", "[[He[[La|cell:b]]|cell]]", "inside another"),
        ("[[HeLa|cell:b]]", "[[HeLa", "inside another"),
        ("[[LC3|gene]]", "[[LC3", "never closed"),
        ("[[HeLa|cell:b]]", "HeLa|cell:b]]", "never opened"),
        ("[[HeLa|cell:b]]", "HeLa]]", "stray"),
        ("[[HeLa|cell:b]]", "\\HeLa", "stray"),
        ("(A) Untagged.", "(A)\u00a0Untagged.", "U+00A0"),
        ("(A) Untagged.", "(A) Un\u00adtagged.", "U+00AD"),
        ("(A) Untagged.", "(A) \\u{D800}", "not a character"),
        ("(A) Untagged.", "", "no text"),
        ("@figure 2 panels", "@figure 2 gold", "if and only if"),
        ("@figure 1 gold", "@figure 1 panels", "if and only if"),
        ("@figure 1 gold", "@figure 1", "@figure NUMBER gold"),
        ("@figure 1 gold", "@figgure 1 gold", "must name"),
        ("@figure 1 gold", "@figure 1 gold\nlost words", "text precedes"),
        ("@figure 1 gold\n", "", "precedes the first @figure"),
        ("@paper 10.5555/test", "", "needs @paper"),
        ("@panel A\n(A) Untagged.", "", "at least one @panel"),
        ("@label Figure 1", "", "one @title, one @label"),
        ("@label Figure 1", "@label Figure 1\n@title Again.", "one @title, one @label"),
        ("@panel B, C", "@panel A", "same letter"),
        ("@figure 2 panels", "@figure 1 panels", "occurs twice"),
        ("@figure 2 panels", "@paper 10.5555/other\n@figure 2 panels", "a file is one paper"),
    ],
)
def test_what_is_not_the_markup_is_refused_with_file_and_line(
    old: str, new: str, part_of_message: str
) -> None:
    assert old in PAPER
    with pytest.raises(FormatError, match=re.escape(part_of_message)) as caught:
        read(PAPER.replace(old, new, 1))
    assert str(caught.value).startswith("paper.txt")


VISIBLE = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs"])


def written(text: str) -> str:
    """``text`` as a person would write it in a file: special characters escaped, invisible ones by
    code."""
    escaped = re.sub(r"[\\\[\]|@#]", lambda found: "\\" + found.group(), text)
    return "".join(
        (
            char
            if char == " " or unicodedata.category(char) not in {"Zs", "Cf", "Cc"}
            else f"\\u{{{ord(char):X}}}"
        )
        for char in escaped
    )


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"])),
            st.text(VISIBLE, min_size=1),
            st.sampled_from(sorted(LABELS)),
        )
    )
)
def test_any_text_and_any_spans_survive_the_markup(pieces: list[tuple[str, str, str]]) -> None:
    source = "".join(
        f"{written(plain)}[[{written(surface)}|{label}]]" for plain, surface, label in pieces
    )
    marked = read_inline(source, where="x")
    assert marked.text == "".join(plain + surface for plain, surface, _ in pieces)
    assert [(span.surface, span.label) for span in marked.spans] == [
        (surface, LABELS[label]) for _, surface, label in pieces
    ]
    for span in marked.spans:
        span.check(marked.text)


def test_short_names_cover_all_labels_and_roles() -> None:
    assert set(LABELS.values()) == set(ENTITY_LABELS)
    assert set(ROLES.values()) == set(ALL_ROLES)
