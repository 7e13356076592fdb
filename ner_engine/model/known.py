"""The models known by name: what each does, with which tokenizer, labels, licence and citation.

``id2label`` is the label list as its authors published it, for the reader and for tests: the order in use is always read from ``config.json``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Task = Literal["entities", "panels", "geneprod_roles", "small_mol_roles", "fill_mask"]

BUNDLED: Final = "bundled"
#: Both names under which the hub serves the tokenizer of roberta-base; a cache knows it by the one that was asked for.
ROBERTA: Final = ("FacebookAI/roberta-base", "roberta-base")
#: Both names of a vocabulary that the second version of SourceData's models share.
BIOLINKBERT: Final = ("michiyasunaga/BioLinkBERT-base", "michiyasunaga/BioLinkBERT-large")

_OWN: Final = "its own"
_ROBERTA_RULE: Final = "must be used with roberta-base's tokenizer"
_LINKBERT_RULE: Final = "its own, else BioLinkBERT's, with add_prefix_space"
_NO_LICENCE: Final = "see its card"

_SOURCEDATA: Final = "Liechti et al. 2017, Nature Methods 14:1021, doi:10.1038/nmeth.4471"
_SOURCEDATA_NLP: Final = "Abreu-Vicente et al. 2023, The SourceData-NLP dataset, arXiv:2310.20440"
_CRAFT: Final = "Bada et al. 2012, Concept annotation in the CRAFT corpus, BMC Bioinformatics 13:161, doi:10.1186/1471-2105-13-161"

_SD_1: Final = ("SMALL_MOLECULE", "GENEPROD", "SUBCELLULAR", "CELL", "TISSUE", "ORGANISM", "EXP_ASSAY")
_SD_2: Final = (*_SD_1, "DISEASE")
_ROLES: Final = ("CONTROLLED_VAR", "MEASURED_VAR")
_CRAFT_LABELS: Final = ("Cell", "Chemical", "Gene", "Protein", "Sequence", "Taxon")
_PANELS: Final = ("O", "B-PANEL_START")


def _begin_first(labels: tuple[str, ...]) -> tuple[str, ...]:
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def _inside_first(labels: tuple[str, ...]) -> tuple[str, ...]:
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "IB"))


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model by its name, as its authors describe it.

    ``scheme`` names the label scheme, ``tokenizer`` says in words which tokenizer it takes, ``tokenizer_names`` are the hub names of the one that
    stands in where a copy has none of its own. ``revision`` is where the hub has its weights in safetensors, where ``main`` has a pickle only.
    """

    name: str
    about: str
    task: Task = "entities"
    id2label: tuple[str, ...] = ()
    scheme: str = ""
    tokenizer: str = _OWN
    tokenizer_names: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    licence: str = _NO_LICENCE
    citation: str = ""
    recipe: str = ""
    revision: str = ""

    @property
    def is_bundled(self) -> bool:
        return self.name == BUNDLED or self.name.startswith(f"{BUNDLED}-")

    def as_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return dataclasses.asdict(self)


def _bundled(name: str, about: str, task: Task, id2label: tuple[str, ...], scheme: str, recipe: str) -> KnownModel:
    return KnownModel(name, about, task, id2label, scheme, licence="CC BY 4.0", citation=_SOURCEDATA, recipe=recipe)


def _first(name: str, about: str, task: Task, id2label: tuple[str, ...], scheme: str, recipe: str, revision: str = "") -> KnownModel:
    """A model of SourceData's first generation: RoBERTa base from EMBO/bio-lm, I- before B-."""
    rule: Mapping[str, Any] = {"tokenizer": _ROBERTA_RULE, "tokenizer_names": ROBERTA}
    return KnownModel(name, about, task, id2label, scheme, **rule, licence="AGPL-3.0", citation=_SOURCEDATA, recipe=recipe, revision=revision)


def _second(name: str, about: str, task: Task, id2label: tuple[str, ...], scheme: str, licence: str, recipe: str) -> KnownModel:
    """A model of SourceData's second generation: BERT with a biomedical vocabulary, B- before I-."""
    rule: Mapping[str, Any] = {"tokenizer": _LINKBERT_RULE, "tokenizer_names": BIOLINKBERT}
    return KnownModel(name, about, task, id2label, scheme, **rule, licence=licence, citation=_SOURCEDATA_NLP, recipe=recipe)


KNOWN_MODELS: Final[Mapping[str, KnownModel]] = {
    model.name: model
    for model in (
        _bundled(
            BUNDLED,
            "Small MiniLM, trained on SourceData's panels; comes with the product",
            "entities",
            _begin_first(_SD_2),
            "sd-nlp-2",
            "sd-ner-mini",
        ),
        _bundled("bundled-panels", "Splits a figure legend into panels; comes with the product", "panels", _PANELS, "sd-nlp panels", "panelization"),
        _bundled(
            "bundled-geneprod-roles",
            "Tells which gene products were perturbed or measured; comes with the product",
            "geneprod_roles",
            _begin_first(_ROLES),
            "sd-nlp roles",
            "geneprod-roles",
        ),
        _bundled(
            "bundled-smallmol-roles",
            "Tells which small molecules were perturbed or measured; comes with the product",
            "small_mol_roles",
            _begin_first(_ROLES),
            "sd-nlp roles",
            "small-mol-roles",
        ),
        _first("EMBO/sd-ner", "RoBERTa base, trained on EMBO/sd-nlp", "entities", _inside_first(_SD_1), "sd-nlp-1", "sd-ner", "refs/pr/2"),
        _second("EMBO/sd-ner-v2", "BERT, trained on EMBO/SourceData", "entities", _begin_first(_SD_2), "sd-nlp-2", "MIT", "sd-ner"),
        _first("EMBO/sd-panelization", "RoBERTa base, splits a figure legend into panels", "panels", _PANELS, "sd-nlp panels", "panelization"),
        _second(
            "EMBO/sd-panelization-v2", "BERT, splits a figure legend into panels", "panels", _PANELS, "sd-nlp panels", "Apache-2.0", "panelization"
        ),
        _first(
            "EMBO/sd-geneprod-roles",
            "RoBERTa base, roles of gene products, which it reads as masks",
            "geneprod_roles",
            _inside_first(_ROLES),
            "sd-nlp roles",
            "geneprod-roles",
        ),
        _second(
            "EMBO/sd-geneprod-roles-v2",
            "BERT large, roles of gene products, which it reads as masks",
            "geneprod_roles",
            _begin_first(_ROLES),
            "sd-nlp roles",
            "Apache-2.0",
            "geneprod-roles",
        ),
        _first(
            "EMBO/sd-smallmol-roles",
            "RoBERTa base, roles of small molecules, which it reads as masks",
            "small_mol_roles",
            _inside_first(_ROLES),
            "sd-nlp roles",
            "small-mol-roles",
        ),
        _second(
            "EMBO/sd-smallmol-roles-v2",
            "BERT, roles of small molecules, which it reads as masks",
            "small_mol_roles",
            _begin_first(_ROLES),
            "sd-nlp roles",
            _NO_LICENCE,
            "small-mol-roles",
        ),
        KnownModel(
            "EMBO/bio-lm",
            "RoBERTa base, trained further on abstracts and figure legends; to begin from, no tagger",
            task="fill_mask",
            tokenizer=_ROBERTA_RULE,
            tokenizer_names=ROBERTA,
            citation=_SOURCEDATA,
            recipe="bio-lm",
        ),
        KnownModel(
            "fran-martinez/scibert_scivocab_cased_ner_jnlpba",
            "SciBERT cased, trained on JNLPBA",
            id2label=_begin_first(("protein", "cell_type", "DNA", "cell_line", "RNA")),
            scheme="jnlpba",
            tokenizer="its own vocab.txt; its settings are empty, so text is lower-cased, as in its card's example",
            citation="Beltagy et al. 2019, SciBERT, arXiv:1903.10676; Kim et al. 2004, JNLPBA",
            recipe="scibert-jnlpba",
        ),
        KnownModel(
            "StivenLancheros/roberta-base-biomedical-clinical-es-finetuned-ner-CRAFT_AugmentedTransfer_EN",
            "Spanish biomedical RoBERTa, trained on augmented CRAFT, then on CRAFT",
            id2label=_begin_first(_CRAFT_LABELS),
            scheme="craft",
            languages=("en", "es"),
            citation=f"{_CRAFT}; Carrino et al. 2021, Biomedical and clinical language models for Spanish, arXiv:2109.03570",
            recipe="craft-augmented-transfer",
        ),
        KnownModel(
            "StivenLancheros/Biobert-base-cased-v1.2-finetuned-ner-CRAFT",
            "BioBERT 1.2, trained on CRAFT",
            id2label=(*(f"B-{label}" for label in _CRAFT_LABELS), *(f"I-{label}" for label in _CRAFT_LABELS), "O"),
            scheme="craft",
            citation=f"{_CRAFT}; Lee et al. 2020, BioBERT, Bioinformatics 36:1234, doi:10.1093/bioinformatics/btz682",
            recipe="biobert-craft",
        ),
    )
}


def known_model(name: str) -> KnownModel | None:
    """The known model ``name``; also by the last part of its name, as a copied folder is called."""
    plain = name.partition("@")[0]
    by_folder = {model.name.rpartition("/")[2]: model for model in KNOWN_MODELS.values()}
    return KNOWN_MODELS.get(plain) or by_folder.get(plain.rpartition("/")[2])
