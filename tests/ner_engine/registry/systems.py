"""The names of the known systems, and their labels."""

from __future__ import annotations

from ner_engine.registry.known_models import KNOWN_MODELS

SD_NER = "EMBO/sd-ner"
JNLPBA = "fran-martinez/scibert_scivocab_cased_ner_jnlpba"
CRAFT_ES = (
    "StivenLancheros/roberta-base-biomedical-clinical-es-finetuned-ner-CRAFT_AugmentedTransfer_EN"
)
CRAFT = "StivenLancheros/Biobert-base-cased-v1.2-finetuned-ner-CRAFT"
BIO_LM = "EMBO/bio-lm"


def labels_of(name: str) -> tuple[str, ...]:
    return KNOWN_MODELS[name].id2label
