"""The label schemes of known models and corpora, and the mappings between them.

Each pair of schemes has a table. For every label of the first it has a label of the second, or
none. An entry is exact if both labels mean the same, so that they can be exchanged in both
directions. Every other entry is lossy and says what is lost.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ner_engine.errors import LabelSchemeError
from ner_engine.schema import ENTITY_LABELS, PUBLIC_ENTITY_LABELS, Span


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """The entity labels of one scheme, and the corpus that defines them (``about``)."""

    name: str
    labels: tuple[str, ...]
    about: str


@dataclass(frozen=True, slots=True)
class Translation:
    """The label ``target`` for ``source`` in another scheme, "" if that scheme has none.

    ``why`` says what is lost if the translation is not ``exact``.
    """

    source: str
    target: str
    exact: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Translated:
    """Spans in another scheme, in their order.

    ``dropped`` counts the spans without a target, by label. ``merged`` is the number of spans that
    became equal to another one.
    """

    spans: list[Span]
    dropped: Counter[str]
    merged: int


SCHEMES: Final[Mapping[str, LabelScheme]] = {
    scheme.name: scheme
    for scheme in (
        LabelScheme("sd-nlp-2", ENTITY_LABELS, "SourceData's figure legends with DISEASE"),
        LabelScheme(
            "sd-nlp-1",
            PUBLIC_ENTITY_LABELS,
            "SourceData's figure legends as first published, without DISEASE",
        ),
        LabelScheme(
            "jnlpba",
            ("protein", "DNA", "RNA", "cell_type", "cell_line"),
            "JNLPBA 2004, abstracts on human blood cells (GENIA)",
        ),
        LabelScheme(
            "craft",
            ("Sequence", "Cell", "Protein", "Gene", "Taxon", "Chemical"),
            "CRAFT, full articles on the mouse, by ontology",
        ),
    )
}

_NOT_NAMED: Final = "the other scheme has no label for it"
#: By label: the label of the other scheme, whether it is exact, and what is lost.
_Table = dict[str, tuple[str, bool, str]]

_JNLPBA_TO_SD: Final[_Table] = {
    "protein": (
        "GENEPROD",
        False,
        (
            "GENEPROD does not distinguish proteins from genes; families, complexes and domains"
            " are included"
        ),
    ),
    "DNA": (
        "GENEPROD",
        False,
        (
            "GENEPROD does not distinguish genes from proteins; promoters, sites and vectors are"
            " included"
        ),
    ),
    "RNA": ("GENEPROD", False, "GENEPROD does not distinguish transcripts from proteins"),
    "cell_type": ("CELL", False, "CELL does not distinguish cell types from cell lines"),
    "cell_line": ("CELL", False, "CELL does not distinguish cell lines from cell types"),
}
_CRAFT_TO_SD: Final[_Table] = {
    "Sequence": (
        "",
        False,
        "features of sequences (exon, promoter, allele) are not labelled there",
    ),
    "Cell": ("CELL", False, "CELL also includes cell lines, Cell does not"),
    "Protein": ("GENEPROD", False, "GENEPROD does not distinguish proteins from genes"),
    "Gene": ("GENEPROD", False, "GENEPROD does not distinguish genes from proteins"),
    "Taxon": (
        "ORGANISM",
        False,
        "Taxon includes taxa of every rank, ORGANISM only the organism of the experiment",
    ),
    "Chemical": (
        "SMALL_MOLECULE",
        False,
        "Chemical also includes classes, groups and macromolecules",
    ),
}
_SD_TO_JNLPBA: Final[_Table] = {
    "GENEPROD": (
        "protein",
        False,
        "genes and transcripts become proteins, as most gene products in legends are",
    ),
    "CELL": ("cell_type", False, "cell lines become cell types"),
}
_SD_TO_CRAFT: Final[_Table] = {
    "SMALL_MOLECULE": ("Chemical", False, "Chemical is broader"),
    "GENEPROD": ("Protein", False, "genes become proteins, as most gene products in legends are"),
    "CELL": ("Cell", False, "cell lines become cells"),
    "ORGANISM": ("Taxon", False, "Taxon includes taxa of every rank"),
}
_JNLPBA_TO_CRAFT: Final[_Table] = {
    "protein": ("Protein", False, "families, complexes and domains are included"),
    "DNA": ("Gene", False, "promoters, sites and vectors become genes"),
    "RNA": ("", False, "CRAFT has transcripts as sequence features, not as a label"),
    "cell_type": ("Cell", True, ""),
    "cell_line": ("", False, "CRAFT does not label cell lines"),
}
_CRAFT_TO_JNLPBA: Final[_Table] = {
    "Protein": (
        "protein",
        False,
        "only single proteins; protein also includes families, complexes and domains",
    ),
    "Gene": ("DNA", False, "only genes; DNA also includes promoters, sites and vectors"),
    "Cell": ("cell_type", True, ""),
}
_SAME: Final[_Table] = {label: (label, True, "") for label in ENTITY_LABELS}

_TABLES: Final[Mapping[tuple[str, str], _Table]] = {
    ("jnlpba", "sd-nlp-1"): _JNLPBA_TO_SD,
    ("jnlpba", "sd-nlp-2"): _JNLPBA_TO_SD,
    ("craft", "sd-nlp-1"): _CRAFT_TO_SD,
    ("craft", "sd-nlp-2"): _CRAFT_TO_SD,
    ("sd-nlp-1", "jnlpba"): _SD_TO_JNLPBA,
    ("sd-nlp-2", "jnlpba"): _SD_TO_JNLPBA,
    ("sd-nlp-1", "craft"): _SD_TO_CRAFT,
    ("sd-nlp-2", "craft"): _SD_TO_CRAFT,
    ("jnlpba", "craft"): _JNLPBA_TO_CRAFT,
    ("craft", "jnlpba"): _CRAFT_TO_JNLPBA,
    ("sd-nlp-1", "sd-nlp-2"): _SAME,
    ("sd-nlp-2", "sd-nlp-1"): {**_SAME, "DISEASE": ("", False, "the first version has no DISEASE")},
}


def scheme_named(name: str) -> LabelScheme:
    """Return the scheme ``name``. Raise ``LabelSchemeError`` if there is none."""
    try:
        return SCHEMES[name]
    except KeyError:
        raise LabelSchemeError(
            f"there is no label scheme {name}; there are {', '.join(SCHEMES)}"
        ) from None


def scheme_of(labels: Iterable[str]) -> LabelScheme:
    """Return the smallest scheme that has all of ``labels``, in any case.

    Raise ``LabelSchemeError`` if no scheme has them all.
    """
    given = _lower(labels)
    fitting = []
    for scheme in SCHEMES.values():
        if given <= _lower(scheme.labels):
            fitting.append(scheme)
    if not given or not fitting:
        raise LabelSchemeError(
            f"the labels {', '.join(sorted(given)) or '(none)'} belong to no known scheme, so they"
            f" cannot be mapped; known schemes are {', '.join(SCHEMES)}"
        )
    return min(fitting, key=lambda scheme: len(scheme.labels))


def _lower(labels: Iterable[str]) -> set[str]:
    return {label.lower() for label in labels}


def translations(source: LabelScheme, target: LabelScheme) -> tuple[Translation, ...]:
    """Return the translation of each label of ``source`` into ``target``, in order."""
    if source == target:
        return tuple(Translation(label, label, True) for label in source.labels)
    table = _TABLES[source.name, target.name]
    entries = []
    for label in source.labels:
        entries.append(Translation(label, *table.get(label, ("", False, _NOT_NAMED))))
    return tuple(entries)


def translate(spans: Iterable[Span], source: LabelScheme, target: LabelScheme) -> Translated:
    """Return ``spans`` with the labels of ``target``, and counts of those that were lost.

    Labels are compared without regard to case (GENE, Gene). The scores by label and the runner-up
    in a tagger's attributes are translated too. A runner-up is removed if it has no target, or the
    same one as the label of the span. Of spans that become equal, the first is kept.
    """
    names = {}
    for entry in translations(source, target):
        names[entry.source.lower()] = entry.target
    translated: dict[tuple[int, int, str], Span] = {}
    dropped: Counter[str] = Counter()
    n_merged = 0
    for span in spans:
        label = names.get(span.label.lower(), "")
        key = (span.start, span.end, label)
        if not label:
            dropped[span.label] += 1
        elif key in translated:
            n_merged += 1
        else:
            translated[key] = _translated(span, label, names)
    return Translated(list(translated.values()), dropped, n_merged)


def _translated(span: Span, label: str, names: Mapping[str, str]) -> Span:
    attributes = _attributes(span.attributes, label, names)
    score = attributes.get("scores", {}).get(label, span.score)
    return dataclasses.replace(span, label=label, score=score, attributes=attributes)


def _attributes(
    attributes: Mapping[str, Any], label: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the attributes of a tagger with translated labels.

    Scores of labels that become one are added, so the runner-up is computed again from them.
    """
    changed = dict(attributes)
    runner_up = names.get(str(changed.pop("runner_up", "")).lower(), "")
    others = {runner_up: changed.pop("runner_up_score", None)}
    if "scores" in changed:
        changed["scores"] = _summed(changed["scores"], names)
        others = dict(changed["scores"])
    for name in (label, ""):
        others.pop(name, None)
    if others:
        changed["runner_up"] = max(others, key=lambda name: others[name] or 0.0)
        changed["runner_up_score"] = others[changed["runner_up"]]
    return changed


def _summed(scores: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """Return scores (0-1) by translated label, at most 1; labels without a target are dropped."""
    sums: dict[str, float] = {}
    for name, value in scores.items():
        if target := names.get(name.lower(), ""):
            sums[target] = round(min(sums.get(target, 0.0) + value, 1.0), 4)
    return sums
