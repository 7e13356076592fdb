"""The known models by name, with task, tokenizer, labels, licence and citation.

``id2label`` is the label list as the authors published it, for readers and tests. The order in use
is always read from ``config.json``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

Task = Literal["entities", "panels", "geneprod_roles", "small_mol_roles", "fill_mask"]

BUNDLED: Final = "bundled"
#: The two hub names of roberta-base's tokenizer. A cache stores it under the name that was used.
ROBERTA: Final = ("FacebookAI/roberta-base", "roberta-base")
#: Two hub names of the vocabulary that the second version of SourceData's models uses.
BIOLINKBERT: Final = ("michiyasunaga/BioLinkBERT-base", "michiyasunaga/BioLinkBERT-large")

_OWN: Final = "its own"
_ROBERTA_RULE: Final = "must be used with roberta-base's tokenizer"
_LINKBERT_RULE: Final = "its own, else BioLinkBERT's, with add_prefix_space"
_NO_LICENCE: Final = "see its card"

_SOURCEDATA: Final = "Liechti et al. 2017, Nature Methods 14:1021, doi:10.1038/nmeth.4471"
_SOURCEDATA_NLP: Final = "Abreu-Vicente et al. 2023, The SourceData-NLP dataset, arXiv:2310.20440"
_CRAFT: Final = (
    "Bada et al. 2012, Concept annotation in the CRAFT corpus, BMC Bioinformatics 13:161,"
    " doi:10.1186/1471-2105-13-161"
)

_SD_1: Final = (
    "SMALL_MOLECULE",
    "GENEPROD",
    "SUBCELLULAR",
    "CELL",
    "TISSUE",
    "ORGANISM",
    "EXP_ASSAY",
)
_SD_2: Final = (*_SD_1, "DISEASE")
_ROLES: Final = ("CONTROLLED_VAR", "MEASURED_VAR")
_CRAFT_LABELS: Final = ("Cell", "Chemical", "Gene", "Protein", "Sequence", "Taxon")


def _begin_first(labels: tuple[str, ...]) -> tuple[str, ...]:
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def _inside_first(labels: tuple[str, ...]) -> tuple[str, ...]:
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "IB"))


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model as its authors describe it.

    ``scheme`` names its label scheme, and ``recipe`` the recipe that trains it. ``tokenizer``
    describes its tokenizer; ``tokenizer_names`` are hub names of the one to use if a copy has
    none. ``revision`` is the hub's revision with safetensors if ``main`` has only a pickle.
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

    @property
    def has_own_tokenizer(self) -> bool:
        """Whether its publisher ships the tokenizer with the weights."""
        return self.tokenizer.startswith(_OWN)

    def as_json(self) -> dict[str, Any]:
        """Return all fields by name."""
        return dataclasses.asdict(self)


#: Facts that models of one origin share. SourceData's first generation is RoBERTa base from
#: EMBO/bio-lm, its second is BERT with a biomedical vocabulary.
_BUNDLED: Final = KnownModel("", "", licence="CC BY 4.0", citation=_SOURCEDATA)
_FIRST: Final = KnownModel(
    "",
    "",
    tokenizer=_ROBERTA_RULE,
    tokenizer_names=ROBERTA,
    licence="AGPL-3.0",
    citation=_SOURCEDATA,
)
_SECOND: Final = KnownModel(
    "", "", tokenizer=_LINKBERT_RULE, tokenizer_names=BIOLINKBERT, citation=_SOURCEDATA_NLP
)
#: Facts that models of one pipeline stage share.
_PANELS: Final[Mapping[str, Any]] = {
    "task": "panels",
    "id2label": ("O", "B-PANEL_START"),
    "scheme": "sd-nlp panels",
    "recipe": "panelization",
}
_GENEPROD_ROLES: Final[Mapping[str, Any]] = {
    "task": "geneprod_roles",
    "scheme": "sd-nlp roles",
    "recipe": "geneprod-roles",
}
_SMALL_MOL_ROLES: Final[Mapping[str, Any]] = {
    "task": "small_mol_roles",
    "scheme": "sd-nlp roles",
    "recipe": "small-mol-roles",
}

_MODELS: Final = (
    replace(
        _BUNDLED,
        name=BUNDLED,
        about="Small MiniLM, trained on SourceData's panels; comes with the product",
        id2label=_begin_first(_SD_2),
        scheme="sd-nlp-2",
        recipe="sd-ner-mini",
    ),
    replace(
        _BUNDLED,
        name="bundled-panels",
        about="Splits a figure legend into panels; comes with the product",
        **_PANELS,
    ),
    replace(
        _BUNDLED,
        name="bundled-geneprod-roles",
        about=(
            "Predicts which gene products were perturbed or measured, from text in which they are"
            " masked; comes with the product"
        ),
        id2label=_begin_first(_ROLES),
        **_GENEPROD_ROLES,
    ),
    replace(
        _BUNDLED,
        name="bundled-smallmol-roles",
        about=(
            "Predicts which small molecules were perturbed or measured, from text in which they are"
            " masked; comes with the product"
        ),
        id2label=_begin_first(_ROLES),
        **_SMALL_MOL_ROLES,
    ),
    replace(
        _FIRST,
        name="EMBO/sd-ner",
        about="RoBERTa base, trained on EMBO/sd-nlp",
        id2label=_inside_first(_SD_1),
        scheme="sd-nlp-1",
        recipe="sd-ner",
        revision="refs/pr/2",
    ),
    replace(
        _SECOND,
        name="EMBO/sd-ner-v2",
        about="BERT, trained on EMBO/SourceData",
        id2label=_begin_first(_SD_2),
        scheme="sd-nlp-2",
        licence="MIT",
        recipe="sd-ner",
    ),
    replace(
        _FIRST,
        name="EMBO/sd-panelization",
        about="RoBERTa base, splits a figure legend into panels",
        **_PANELS,
    ),
    replace(
        _SECOND,
        name="EMBO/sd-panelization-v2",
        about="BERT, splits a figure legend into panels",
        licence="Apache-2.0",
        **_PANELS,
    ),
    replace(
        _FIRST,
        name="EMBO/sd-geneprod-roles",
        about="RoBERTa base, roles of gene products, which are masked",
        id2label=_inside_first(_ROLES),
        **_GENEPROD_ROLES,
    ),
    replace(
        _SECOND,
        name="EMBO/sd-geneprod-roles-v2",
        about="BERT large, roles of gene products, which are masked",
        id2label=_begin_first(_ROLES),
        licence="Apache-2.0",
        **_GENEPROD_ROLES,
    ),
    replace(
        _FIRST,
        name="EMBO/sd-smallmol-roles",
        about="RoBERTa base, roles of small molecules, which are masked",
        id2label=_inside_first(_ROLES),
        **_SMALL_MOL_ROLES,
    ),
    replace(
        _SECOND,
        name="EMBO/sd-smallmol-roles-v2",
        about="BERT, roles of small molecules, which are masked",
        id2label=_begin_first(_ROLES),
        **_SMALL_MOL_ROLES,
    ),
    KnownModel(
        "EMBO/bio-lm",
        "RoBERTa base, pre-trained on abstracts and figure legends; a base model, not a tagger",
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
        tokenizer=(
            "its own vocab.txt; its settings are empty, so text is lower-cased as in the example of"
            " its card"
        ),
        citation="Beltagy et al. 2019, SciBERT, arXiv:1903.10676; Kim et al. 2004, JNLPBA",
        recipe="scibert-jnlpba",
    ),
    KnownModel(
        "StivenLancheros/"
        "roberta-base-biomedical-clinical-es-finetuned-ner-CRAFT_AugmentedTransfer_EN",
        "Spanish biomedical RoBERTa, trained on augmented CRAFT, then on CRAFT",
        id2label=_begin_first(_CRAFT_LABELS),
        scheme="craft",
        languages=("en", "es"),
        citation=(
            f"{_CRAFT}; Carrino et al. 2021, Biomedical and clinical language models for Spanish,"
            " arXiv:2109.03570"
        ),
        recipe="craft-augmented-transfer",
    ),
    KnownModel(
        "StivenLancheros/Biobert-base-cased-v1.2-finetuned-ner-CRAFT",
        "BioBERT 1.2, trained on CRAFT",
        id2label=(
            *(f"B-{label}" for label in _CRAFT_LABELS),
            *(f"I-{label}" for label in _CRAFT_LABELS),
            "O",
        ),
        scheme="craft",
        citation=(
            f"{_CRAFT}; Lee et al. 2020, BioBERT, Bioinformatics 36:1234,"
            " doi:10.1093/bioinformatics/btz682"
        ),
        recipe="biobert-craft",
    ),
)
KNOWN_MODELS: Final[Mapping[str, KnownModel]] = {model.name: model for model in _MODELS}


def known_model(name: str) -> KnownModel | None:
    """Return the known model ``name``, None if there is none.

    The last part of a name is accepted too, because copied folders are named so.
    """
    plain = name.partition("@")[0]
    by_folder = {model.name.rpartition("/")[2]: model for model in KNOWN_MODELS.values()}
    return KNOWN_MODELS.get(plain) or by_folder.get(plain.rpartition("/")[2])
