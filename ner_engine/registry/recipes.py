"""Named recipes: all hyperparameters of a training run in one frozen object.

A recipe holds hyperparameters alone. Data, base model and output folder are arguments of a run, so
the same recipe can train again on any labelled set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ner_engine.errors import TrainingError
from ner_engine.registry.hyperparameters import (
    AUTO_LABELS,
    HYPERPARAMETERS,
    Hyperparameters,
    Learner,
    hyperparameter_named,
)
from ner_engine.registry.tasks import TASKS, VARIABLE_ROLES
from ner_engine.schema import PUBLIC_ENTITY_LABELS

#: The task of a masked language model; the others are ``tasks.TASKS``.
FILL_MASK: Final = "fill_mask"
#: With ``blend="auto"``: the fractions of the base model (0-1) that are compared. 1 is not among
#: them, because the model would have learned nothing.
SHARES_OF_BASE: Final = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Hyperparameters):
    """The hyperparameters of a run, with the task they are for and the default base model.

    ``labels`` are entity types. The model has O and B-/I- of each, unless the base model has a head
    with the same types. ``task`` is one of ``tasks.TASKS``, or ``FILL_MASK`` for a language model.
    ``panels="labelled"`` is right for texts without entities that were never reviewed (a third of
    SourceData's panels), and wrong where a curator decided that there is none.
    """

    name: str
    about: str
    base: str = ""
    task: str = "entities"

    @property
    def learner(self) -> Learner:
        return Learner.LANGUAGE_MODEL if self.task == FILL_MASK else Learner.TAGGER

    def with_settings(self, settings: Mapping[str, str]) -> Recipe:
        """Return a copy with ``settings``, each parsed by its row, in place of its own values.

        Raise ``TrainingError`` for an unknown name, or a value that is not permitted.
        """
        changes = {}
        for name, text in settings.items():
            changes[name] = hyperparameter_named(name).parse(text)
        changed = dataclasses.replace(self, **changes)
        changed.check()
        return changed

    def check(self) -> None:
        """Raise ``TrainingError`` if a hyperparameter is not permitted, alone or with another."""
        for row in HYPERPARAMETERS.values():
            row.check(getattr(self, row.name))
        if self.task not in {*TASKS, FILL_MASK}:
            raise TrainingError(
                f"there is no task {self.task}; there are {', '.join(TASKS)} and {FILL_MASK}"
            )
        self._check_labels()
        self._check_weights()
        self._check_language_model()

    def _check_labels(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise TrainingError("labels must name each entity type once")
        if AUTO_LABELS[0] in self.labels and self.labels != AUTO_LABELS:
            raise TrainingError("labels must be auto, or name the entity types")

    def _check_weights(self) -> None:
        if self.average and self.keep == "best":
            raise TrainingError("keep=best and average exclude each other; choose one of them")
        if not self.evals_per_epoch and (self.average or self.patience or self.keep == "best"):
            raise TrainingError(
                "keep=best, average and patience need evaluations; set evals_per_epoch above 0"
            )

    def _check_language_model(self) -> None:
        if self.task != FILL_MASK:
            return
        needless = []
        for row in HYPERPARAMETERS.values():
            if row.learner == Learner.TAGGER and getattr(self, row.name) != row.default:
                needless.append(row.name)
        if needless:
            raise TrainingError(
                f"a language model does not use {', '.join(sorted(needless))}; leave it out"
            )

    def hyperparameters(self) -> dict[str, Any]:
        """Return the task and the hyperparameters that its models use, without the labels."""
        used = {}
        for row in HYPERPARAMETERS.values():
            if row.name != "labels" and row.learner in (Learner.ANY, self.learner):
                used[row.name] = getattr(self, row.name)
        return {"task": self.task, **used}


JNLPBA_LABELS: Final = ("protein", "cell_type", "DNA", "cell_line", "RNA")
CRAFT_LABELS: Final = ("Sequence", "Cell", "Protein", "Gene", "Taxon", "Chemical")
#: ``eval_panels`` of recipes that evaluate on all held-out texts after each epoch.
ALL: Final = 10**9
#: Values that both systems trained on CRAFT share.
_CRAFT: Final[Mapping[str, Any]] = {
    "epochs": 4.0,
    "batch_size": 8,
    "learning_rate": 3e-5,
    "warmup": 0.0,
    "weight_decay": 0.0,
    "attention_dropout": 0.1,
    "max_length": 512,
    "precision": "fp32",
    "evals_per_epoch": 1.0,
    "eval_panels": ALL,
}

RECIPES: Final[Mapping[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="sd-ner",
            about=(
                "EMBO/sd-ner as published: RoBERTa base (EMBO/bio-lm), trained on the seven labels"
                " of sd-nlp."
            ),
            base="EMBO/bio-lm",
            labels=PUBLIC_ENTITY_LABELS,
            epochs=0.6,
            batch_size=16,
            learning_rate=1e-4,
            warmup=0.0,
            weight_decay=0.0,
            attention_dropout=0.1,
            max_length=512,
            precision="fp32",
            panels="labelled",
            min_characters=80,
        ),
        Recipe(
            name="sd-ner-mini",
            about=(
                "The bundled model: six layers of width 384, all eight labels, a high learning rate"
                " for its small size."
            ),
            base="sentence-transformers/all-MiniLM-L6-v2",
            panels="labelled",
            min_characters=80,
        ),
        Recipe(
            name="panelization",
            about=(
                "Predicts where panels start in whole figure legends. Three layers are enough for"
                " panel letters and their context."
            ),
            base="bundled",
            task="panels",
            labels=("PANEL_START",),
            layers=3,
            learning_rate=3e-4,
            epochs=2.0,
            batch_size=16,
            eval_panels=200,
        ),
        Recipe(
            name="geneprod-roles",
            about=(
                "Predicts which gene products were perturbed and which were measured, from panels"
                " in which they are masked."
            ),
            base="bundled",
            task="geneprod_roles",
            labels=VARIABLE_ROLES,
            learning_rate=3e-4,
            epochs=2.0,
        ),
        Recipe(
            name="small-mol-roles",
            about=(
                "Predicts which small molecules were applied and which were measured, from panels"
                " in which they are masked."
            ),
            base="bundled",
            task="small_mol_roles",
            labels=VARIABLE_ROLES,
            learning_rate=3e-4,
            epochs=3.0,
        ),
        Recipe(
            name="scibert-jnlpba",
            about=(
                "fran-martinez/scibert_scivocab_cased_ner_jnlpba as published: SciBERT, trained on"
                " the five types of JNLPBA. Keeps the best epoch."
            ),
            base="allenai/scibert_scivocab_cased",
            labels=JNLPBA_LABELS,
            epochs=6.0,
            batch_size=32,
            learning_rate=5e-5,
            warmup=0.1,
            weight_decay=0.0,
            max_grad_norm=0.0,
            dropout=0.3,
            attention_dropout=0.3,
            max_length=128,
            precision="fp32",
            evals_per_epoch=1.0,
            eval_panels=ALL,
            keep="best",
        ),
        Recipe(
            name="craft-augmented-transfer",
            about=(
                "StivenLancheros' CRAFT_AugmentedTransfer_EN as published: a Spanish biomedical"
                " RoBERTa, trained on CRAFT with a fifth of the entities replaced, then on CRAFT"
                " itself."
            ),
            base="PlanTL-GOB-ES/roberta-base-biomedical-clinical-es",
            labels=CRAFT_LABELS,
            augment_share=0.2,
            **_CRAFT,
        ),
        Recipe(
            name="biobert-craft",
            about=(
                "StivenLancheros' Biobert-base-cased-v1.2-finetuned-ner-CRAFT as published:"
                " BioBERT, trained on the six types of CRAFT."
            ),
            base="dmis-lab/biobert-base-cased-v1.2",
            labels=CRAFT_LABELS,
            **_CRAFT,
        ),
        Recipe(
            name="bio-lm",
            about=(
                "EMBO/bio-lm as published: RoBERTa base, pre-trained further as a masked language"
                " model on unlabelled biomedical texts."
            ),
            base="roberta-base",
            task=FILL_MASK,
            epochs=3.0,
            batch_size=16,
            learning_rate=5e-5,
            warmup=0.0,
            weight_decay=0.0,
            attention_dropout=0.1,
            max_length=512,
            precision="fp32",
            evals_per_epoch=1.0,
        ),
        Recipe(
            name="quick",
            about=(
                "Continues training of a good tagger on a few thousand corrected panels. Takes"
                " minutes on a CPU."
            ),
            base="bundled",
            epochs=2.0,
            learning_rate=2e-4,
            warmup=0.1,
            evals_per_epoch=2.0,
            eval_panels=300,
            checkpoint_seconds=60.0,
            blend="auto",
        ),
    )
}


def recipe_named(name: str) -> Recipe:
    """Return the recipe ``name``. Raise ``TrainingError`` if there is none."""
    try:
        return RECIPES[name]
    except KeyError:
        raise TrainingError(f"there is no recipe {name}; there are {', '.join(RECIPES)}") from None
