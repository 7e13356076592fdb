"""SourceData XML: figures, panels and tags as curators made them; hostile files refused by name."""

from __future__ import annotations

import io

import pytest

from ner_engine.formats import sourcedata_xml
from ner_engine.formats.report import Report
from ner_engine.schema import Document


def read(data: str | bytes, *, public_form: bool = False) -> tuple[list[Document], Report]:
    report = Report()
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return (
        list(sourcedata_xml.read(stream, name="paper.xml", report=report, public_form=public_form)),
        report,
    )


def figure(
    panels: str,
    head: str = "<title>Bax moves.</title><label>Figure 1</label><graphic href='f1.jpg'/>",
) -> str:
    return f"<article doi='10.5555/sd.1'><fig id='77'>{head}{panels}</fig></article>"


def tag(text: str, **attributes: str) -> str:
    return (
        "<sd-tag "
        + " ".join(f'{key}="{value}"' for key, value in attributes.items())
        + f">{text}</sd-tag>"
    )


def test_a_figure_is_title_label_and_panels_joined_by_one_space() -> None:
    documents, report = read(
        figure(
            "<sd-panel panel_id='1'>(A)\n Bax <i>moves</i>. <graphic"
            " href='a.jpg'/></sd-panel><sd-panel panel_id='2'>B\tcells</sd-panel>"
        )
    )
    document = documents[0]
    assert document.text == "Bax moves. Figure 1 (A) Bax moves. B cells"
    assert document.id == "77"
    assert document.doi == "10.5555/sd.1"
    assert document.title == "Bax moves."
    assert document.label == "Figure 1"
    assert document.image == "f1.jpg"
    assert [document.text[panel.start : panel.end] for panel in document.segments] == [
        "(A) Bax moves.",
        "B cells",
    ]
    assert [(panel.id, panel.marker, panel.image) for panel in document.segments] == [
        ("1", "A", "a.jpg"),
        ("2", "B", ""),
    ]
    assert not report.problems


@pytest.mark.parametrize(
    ("attributes", "label", "role"),
    [
        ({"entity_type": "molecule", "role": "intervention"}, "SMALL_MOLECULE", "CONTROLLED_VAR"),
        ({"entity_type": "gene", "role": "assayed"}, "GENEPROD", "MEASURED_VAR"),
        ({"entity_type": "protein", "role": "reporter"}, "GENEPROD", "BORING"),
        ({"entity_type": "geneprod", "role": "normalizing"}, "GENEPROD", "BORING"),
        ({"entity_type": "cell_line", "role": "intervention"}, "CELL", ""),
        ({"entity_type": "cell_type", "role": "component"}, "CELL", "BORING"),
        ({"entity_type": "subcellular"}, "SUBCELLULAR", ""),
        ({"entity_type": "tissue"}, "TISSUE", ""),
        ({"entity_type": "organism", "role": "experiment"}, "ORGANISM", ""),
        ({"category": "assay", "entity_type": "None"}, "EXP_ASSAY", ""),
        ({"category": "disease"}, "DISEASE", ""),
        ({"category": "time"}, "", ""),
        ({"entity_type": "undefined"}, "", ""),
    ],
)
def test_labels_and_roles_follow_the_table(
    attributes: dict[str, str], label: str, role: str
) -> None:
    documents, _ = read(
        figure(f"<sd-panel>A {tag('thing', id='t1', **attributes)} here</sd-panel>")
    )
    span = documents[0].gold[0]
    assert span.label == label
    assert span.role == role
    assert span.surface == "thing"
    assert span.id == "t1"
    assert documents[0].text[span.start : span.end] == "thing"


def test_raw_attributes_are_kept_except_none() -> None:
    identifiers = {"ext_ids": "581///12028", "ext_dbs": "NCBI gene"}
    gene = tag("Bax", id="t", entity_type="gene", **identifiers, role="None")
    documents, _ = read(figure(f"<sd-panel>{gene} up</sd-panel>"))
    assert documents[0].gold[0].attributes == {
        "id": "t",
        "entity_type": "gene",
        "ext_ids": "581///12028",
        "ext_dbs": "NCBI gene",
    }


def test_white_space_at_the_ends_of_a_tag_is_left_out() -> None:
    panel = (
        f"<sd-panel>in {tag(' HeLa&#160;', id='t', entity_type='cell')}"
        f" cells{tag('', id='u', entity_type='cell')}.</sd-panel>"
    )
    documents, report = read(figure(panel))
    span = documents[0].gold[0]
    assert span.surface == "HeLa"
    assert len(documents[0].gold) == 1
    assert documents[0].text.endswith("in HeLa\u00a0 cells.")
    assert report.counts["tags_with_white_space_at_an_end"] == 1
    assert report.counts["tags_without_text"] == 1
    assert report.counts["tags"] == 2
    documents[0].check()


def test_two_tags_with_one_id_get_ids_of_their_own() -> None:
    documents, _ = read(
        figure(f"<sd-panel>{tag('Bax', id='t')} and {tag('Bak', id='t')}</sd-panel>")
    )
    ids = [span.id for span in documents[0].gold]
    assert ids[0] == "t"
    assert len(set(ids)) == 2


def test_a_machines_guess_is_a_suggestion_and_never_gold() -> None:
    panel = (
        "<sd-panel>A <sd-pretag id='p1' class='component gene'>Bax</sd-pretag> <sd-pretag id='p2'"
        " class='x'>y</sd-pretag></sd-panel>"
    )
    documents, report = read(figure(panel))
    assert documents[0].gold == ()
    assert [(span.surface, span.label) for span in documents[0].suggestions] == [
        ("Bax", "GENEPROD"),
        ("y", ""),
    ]
    assert report.counts["pretags"] == 2


def test_a_repeated_panel_is_kept_once_with_all_tags() -> None:
    panels = (
        f"<sd-panel panel_id='1'>(A) {tag('Bax', id='t1', entity_type='gene')} and"
        f" Bak</sd-panel><sd-panel panel_id='2'>(A) {tag('Bax', id='t2', entity_type='gene')} and"
        f" {tag('Bak', id='t3', entity_type='gene')}</sd-panel><sd-panel panel_id='3'>  </sd-panel>"
    )
    documents, report = read(figure(panels))
    document = documents[0]
    assert [(panel.id, panel.aliases) for panel in document.segments] == [("1", ("2",))]
    assert [(span.surface, span.id) for span in document.gold] == [("Bax", "t1"), ("Bak", "t3")]
    assert document.attributes == {"panels_without_text": ["3"]}
    names = (
        "panels",
        "panels_repeated",
        "panels_without_text",
        "tags_on_repeats_merged",
        "tags_on_repeats_dropped",
    )
    assert [report.counts[name] for name in names] == [3, 1, 1, 1, 1]


def test_the_public_form_joins_with_nothing_and_keeps_repeats() -> None:
    documents, _ = read(
        figure(
            "<sd-panel panel_id='1'>The cells </sd-panel><sd-panel panel_id='2'>The cells"
            " </sd-panel>"
        ),
        public_form=True,
    )
    assert documents[0].text == "Bax moves.Figure 1The cells The cells "
    assert [panel.id for panel in documents[0].segments] == ["1", "2"]


def test_figures_of_a_paper_without_doi_share_a_split() -> None:
    documents, _ = read(
        "<article doi=''><fig id='1'><title>Cells.</title></fig><fig"
        " id='2'><title>Mice.</title></fig></article>"
    )
    assert {document.group for document in documents} == {"paper.xml"}


def test_a_figure_without_text_is_left_out_with_a_note() -> None:
    documents, report = read(
        "<article doi='10.5555/sd.1'><fig id='1'/><fig id='2'><title>Cells.</title></fig></article>"
    )
    assert [document.id for document in documents] == ["2"]
    assert report.counts["figures_without_text"] == 1
    assert [note.where for note in report.notes] == ["paper.xml, figure 1"]
    assert report.problems == []


BOMB = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>"
EXTERNAL = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (BOMB + figure("<sd-panel>&b;</sd-panel>"), "unsafe"),
        (EXTERNAL + figure("<sd-panel>&x;</sd-panel>"), "unsafe"),
        (
            "<!DOCTYPE article SYSTEM 'http://localhost:9/x.dtd'>"
            + figure("<sd-panel>A</sd-panel>"),
            "unsafe",
        ),
        (figure("<sd-panel>A"), "not well-formed"),
        (figure("<sd-panel>caf\xe9</sd-panel>").encode("latin-1"), "not well-formed"),
        (figure("<sd-panel>&#xD800;</sd-panel>"), "not well-formed"),
        (figure("<sd-panel>a\x01b</sd-panel>"), "not well-formed"),
        ("not xml at all", "not well-formed"),
        ("<html/>", "not a SourceData file"),
        (
            "<article><front/><body><fig id='f'><label>Figure 1</label></fig></body></article>",
            "read it as jats",
        ),
    ],
)
def test_an_unsafe_or_other_file_is_refused_by_name(data: str | bytes, sentence: str) -> None:
    documents, report = read(data)
    assert documents == []
    assert [(problem.where, sentence in problem.message) for problem in report.problems] == [
        ("paper.xml", True)
    ]
