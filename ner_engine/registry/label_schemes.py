"""The label schemes of the known systems, and what becomes of a label of one in another.

Each pair of schemes has a table that says for every label of the first which label of the second
stands for it, or that none does. An entry is exact where both names mean the same things, so that
they can be exchanged either way; every other one is lossy and says what is lost.
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
    """Entity labels that belong together, and the corpus that defines them."""

    name: str
    labels: tuple[str, ...]
    about: str


@dataclass(frozen=True, slots=True)
class Translation:
    """What becomes of ``source`` in another scheme: ``target``, or nothing where that is "";
    ``why`` says what gets lost unless it is ``exact``."""

    source: str
    target: str
    exact: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Translated:
    """Spans in another scheme, in their order. ``dropped`` counts the spans left out by their
    label, ``merged`` those that had become equal."""

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

_NOT_NAMED: Final = "the other scheme has no name for it"
#: Labels of a scheme: the label that stands for it, whether exactly, and what is lost.
_Table = dict[str, tuple[str, bool, str]]

_JNLPBA_TO_SD: Final[_Table] = {
    "protein": (
        "GENEPROD",
        False,
        (
            "GENEPROD does not tell proteins from genes; families, complexes and domains come with"
            " them"
        ),
    ),
    "DNA": (
        "GENEPROD",
        False,
        "GENEPROD does not tell genes from proteins; promoters, sites and vectors come with them",
    ),
    "RNA": ("GENEPROD", False, "GENEPROD does not tell transcripts from proteins"),
    "cell_type": ("CELL", False, "CELL does not tell cell types from cell lines"),
    "cell_line": ("CELL", False, "CELL does not tell cell lines from cell types"),
}
_CRAFT_TO_SD: Final[_Table] = {
    "Sequence": (
        "",
        False,
        "features of sequences (exon, promoter, allele) are not labelled there",
    ),
    "Cell": ("CELL", False, "CELL holds cell lines too, which Cell does not"),
    "Protein": ("GENEPROD", False, "GENEPROD does not tell proteins from genes"),
    "Gene": ("GENEPROD", False, "GENEPROD does not tell genes from proteins"),
    "Taxon": (
        "ORGANISM",
        False,
        "Taxon names taxa of every rank, ORGANISM the organism that was worked with",
    ),
    "Chemical": ("SMALL_MOLECULE", False, "Chemical holds classes, groups and macromolecules too"),
}
_SD_TO_JNLPBA: Final[_Table] = {
    "GENEPROD": (
        "protein",
        False,
        "genes and transcripts are called proteins, which most gene products of legends are",
    ),
    "CELL": ("cell_type", False, "cell lines are called cell types"),
}
_SD_TO_CRAFT: Final[_Table] = {
    "SMALL_MOLECULE": ("Chemical", False, "Chemical is wider"),
    "GENEPROD": (
        "Protein",
        False,
        "genes are called proteins, which most gene products of legends are",
    ),
    "CELL": ("Cell", False, "cell lines are called cells"),
    "ORGANISM": ("Taxon", False, "Taxon names taxa of every rank"),
}
_JNLPBA_TO_CRAFT: Final[_Table] = {
    "protein": ("Protein", False, "families, complexes and domains come with them"),
    "DNA": ("Gene", False, "promoters, sites and vectors are called genes"),
    "RNA": ("", False, "CRAFT has transcripts among its features of sequences, not as a label"),
    "cell_type": ("Cell", True, ""),
    "cell_line": ("", False, "CRAFT does not label cell lines"),
}
_CRAFT_TO_JNLPBA: Final[_Table] = {
    "Protein": (
        "protein",
        False,
        "single proteins only, where protein holds families, complexes and domains too",
    ),
    "Gene": ("DNA", False, "genes only, where DNA holds promoters, sites and vectors too"),
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
    """The scheme ``name``. Raises ``LabelSchemeError`` naming those there are."""
    try:
        return SCHEMES[name]
    except KeyError:
        raise LabelSchemeError(
            f"there is no label scheme {name}; there are {', '.join(SCHEMES)}"
        ) from None


def scheme_of(labels: Iterable[str]) -> LabelScheme:
    """The smallest scheme that holds all of ``labels``, whatever their case. Raises
    ``LabelSchemeError`` where none does."""
    asked = {label.lower() for label in labels}
    fitting = [
        scheme
        for scheme in SCHEMES.values()
        if asked and asked <= {label.lower() for label in scheme.labels}
    ]
    if not fitting:
        raise LabelSchemeError(
            f"the labels {', '.join(sorted(asked)) or '(none)'} are of no known scheme, so they"
            f" cannot be mapped; known are {', '.join(SCHEMES)}"
        )
    return min(fitting, key=lambda scheme: len(scheme.labels))


def translations(source: LabelScheme, target: LabelScheme) -> tuple[Translation, ...]:
    """What becomes of each label of ``source`` in ``target``, in the order of ``source``."""
    if source == target:
        return tuple(Translation(label, label, True) for label in source.labels)
    table = _TABLES[source.name, target.name]
    return tuple(
        Translation(label, *table.get(label, ("", False, _NOT_NAMED))) for label in source.labels
    )


def translate(spans: Iterable[Span], source: LabelScheme, target: LabelScheme) -> Translated:
    """``spans`` with the labels of ``target``; nothing is left out without being counted.

    Labels are recognised whatever their case (one author writes GENE, another Gene). The runner-up
    and the scores by label that a tagger wrote are mapped as well; a runner-up that means the same
    as the entity's label, or nothing, is taken away.
    """
    names = {entry.source.lower(): entry.target for entry in translations(source, target)}
    found: dict[tuple[int, int, str], Span] = {}
    dropped: Counter[str] = Counter()
    n_read = 0
    for span in spans:
        label = names.get(span.label.lower(), "")
        n_read += 1
        if not label:
            dropped[span.label] += 1
            continue
        attributes = _attributes(span.attributes, label, names)
        score = (
            attributes["scores"].get(label, span.score) if "scores" in attributes else span.score
        )
        changed = dataclasses.replace(span, label=label, score=score, attributes=attributes)
        found.setdefault((span.start, span.end, label), changed)
    return Translated(list(found.values()), dropped, n_read - dropped.total() - len(found))


def _attributes(
    attributes: Mapping[str, Any], label: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """A tagger's attributes with mapped labels. With the scores by label the runner-up is found
    anew, since labels that become one add up."""
    changed = {
        name: value
        for name, value in attributes.items()
        if name not in {"scores", "runner_up", "runner_up_score"}
    }
    if "scores" in attributes:
        changed["scores"] = _summed(attributes["scores"], names)
        others = {name: value for name, value in changed["scores"].items() if name != label}
    else:
        runner_up = names.get(str(attributes.get("runner_up", "")).lower(), "")
        others = (
            {runner_up: attributes.get("runner_up_score")}
            if runner_up and runner_up != label
            else {}
        )
    if others:
        changed["runner_up"] = max(others, key=lambda name: others[name] or 0.0)
        changed["runner_up_score"] = others[changed["runner_up"]]
    return changed


def _summed(scores: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name, value in scores.items():
        if target := names.get(name.lower(), ""):
            sums[target] = round(min(sums.get(target, 0.0) + value, 1.0), 4)
    return sums
