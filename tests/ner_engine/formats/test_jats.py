"""JATS XML: figure captions of articles."""

from __future__ import annotations

import io
from pathlib import Path

from ner_engine.formats import jats
from ner_engine.formats.report import Report
from ner_engine.schema import Document

HEAD = """<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>
<article-id pub-id-type="pmid">1</article-id>
<article-id pub-id-type="doi">10.5555/jats.1</article-id></article-meta></front><body>"""
TAIL = "</body></article>"


def read(body: str, head: str = HEAD, tail: str = TAIL) -> tuple[list[Document], Report]:
    report = Report()
    return (
        list(jats.read(io.BytesIO((head + body + tail).encode()), name="a.xml", report=report)),
        report,
    )


def test_a_text_is_label_title_and_paragraphs() -> None:
    documents, report = read(
        """<fig id="f1"><label>Figure 1.</label><caption><title>Bax\n   moves.</title>
        <p>(<bold>A</bold>) Wild\ttype, 10<sup>−3</sup> M.</p>
        <p>(B) <italic>Bax</italic><sup>−/−</sup></p></caption>
        <graphic xlink:href="f1.tif"/></fig>"""
    )
    assert [document.text for document in documents] == [
        "Figure 1. Bax moves. (A) Wild type, 10−3 M. (B) Bax−/−"
    ]
    document = documents[0]
    assert document.id == "10.5555/jats.1#f1"
    assert document.doi == "10.5555/jats.1"
    assert document.label == "Figure 1."
    assert document.title == "Bax moves."
    assert document.image == "f1.tif"
    assert report.counts["documents"] == report.counts["figures"] == 1


def test_attached_files_dois_and_formula_sources_are_left_out() -> None:
    documents, _ = read(
        '<fig id="f1"><caption><p>Cells <inline-formula><alternatives>'
        "<tex-math>\\alpha</tex-math><m>α</m></alternatives></inline-formula>.</p>"
        "<p><bold>DOI:</bold> <ext-link>http://dx.doi.org/10.5555/jats.1.002</ext-link></p>"
        "<p><supplementary-material><label>Source data 1.</label><caption><p>Numbers</p></caption>"
        "</supplementary-material></p></caption></fig>"
    )
    assert [document.text for document in documents] == ["Cells α."]


def test_a_figure_without_a_caption_is_counted_and_not_made_up() -> None:
    documents, report = read(
        '<fig id="f1"><label>Figure 1.</label></fig><fig'
        ' id="f2"><caption><p>Cells.</p></caption></fig>'
    )
    assert [document.id for document in documents] == ["10.5555/jats.1#f2"]
    assert report.counts["figures_without_caption"] == 1


def test_named_characters_are_read_without_the_dtd() -> None:
    doctype = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS v1.2//EN" "http://localhost:9/JATS.dtd">'
    documents, report = read(
        '<fig id="f1"><caption><p>TNF&alpha; &amp; IL&#8209;6</p></caption></fig>',
        head=doctype + HEAD,
    )
    assert [document.text for document in documents] == ["TNFα & IL‑6"]
    assert not report.problems


def test_an_unknown_named_character_refuses_only_its_figure() -> None:
    doctype = '<!DOCTYPE article PUBLIC "x" "x.dtd">'
    body = (
        '<fig id="f1"><caption><p>&nosuch;</p></caption></fig><fig'
        ' id="f2"><caption><p>Cells.</p></caption></fig>'
    )
    documents, report = read(body, head=doctype + HEAD)
    assert [document.text for document in documents] == ["Cells."]
    assert "a.xml, figure f1" in str(report.problems[0])
    assert "nosuch" in str(report.problems[0])


def test_a_doctype_that_declares_entities_is_refused_by_name() -> None:
    bomb = '<!DOCTYPE article [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    documents, report = read('<fig id="f1"><caption><p>&b;</p></caption></fig>', head=bomb + HEAD)
    assert documents == []
    assert "a.xml" in str(report.problems[0])
    assert "unsafe" in str(report.problems[0])


def test_articles_inside_a_wrapper_with_a_namespace_are_found() -> None:
    documents, _ = read(
        '<fig id="f1"><caption><p>Cells.</p></caption></fig>',
        head='<r xmlns="urn:x">' + HEAD,
        tail=TAIL + "</r>",
    )
    assert [document.doi for document in documents] == ["10.5555/jats.1"]


def test_xml_that_is_no_article_is_refused_by_name() -> None:
    documents, report = read("", head="<html>", tail="</html>")
    assert documents == []
    assert "not a JATS article" in str(report.problems[0])


def test_every_caption_of_published_articles_is_read(shared_dir: Path) -> None:
    report = Report()
    documents: list[Document] = []
    for path in sorted((shared_dir / "jats-elife").glob("*.xml")):
        with path.open("rb") as stream:
            documents += jats.read(stream, name=path.name, report=report)
    assert len(documents) == 259
    assert not report.problems
    assert all(
        document.text == document.text.strip()
        and "  " not in document.text
        and "\n" not in document.text
        for document in documents
    )
    assert all(document.doi.startswith("10.7554/eLife.") for document in documents)
