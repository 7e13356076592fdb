"""Named recipes: everything that decides how a training run goes, in one frozen object.

A recipe holds hyperparameters alone. Data, base model and output folder are arguments of a run, so the same recipe trains
again on any labelled set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ner_engine.errors import TrainingError
from ner_engine.model.tasks import TASKS, VARIABLE_ROLES
from ner_engine.schema import ENTITY_LABELS, PUBLIC_ENTITY_LABELS


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of a run: of a token classifier, or of a masked language model.

    ``labels`` are the entity types, from which O and B-/I- of each are made unless the base brings its own head with the same
    types; ``("auto",)`` takes those of the training texts. ``task`` names one of ``tasks.TASKS``. ``max_length`` counts tokens of one window,
    ``layers`` keeps the first of the base's (0: all), ``warmup`` and ``epochs`` may be fractions, ``checkpoint_seconds`` is how much work an
    interruption may cost.

    Texts: one must be longer than ``min_characters`` to be an example. ``panels="labelled"`` leaves out what has no entity: right where nobody
    looked at it (a third of SourceData's panels), wrong where a curator decided that there is none. ``augment_share`` above 0 makes two steps: the
    first learns from the texts and from copies in which that share of the entities is replaced, the second goes on from there with the texts alone.

    Steps: ``batch_size`` counts the examples of a step over all processes. It is worked off in micro-batches of at most ``micro_tokens`` tokens
    (0: as suits the device), end to end in one row where the architecture allows it and ``packing`` is "auto". ``gradient_checkpointing`` computes
    activations twice instead of keeping them: less memory, a third more time. ``class_weights="balanced"`` gives each label the same say,
    ``label_smoothing`` spreads that share of a token's truth over all labels.

    Evaluations: ``eval_panels`` bounds the held-out texts that are tagged on the way; the end is measured on all. ``keep="best"`` takes the weights
    of the evaluation with the best micro F1, ``average`` the mean over that many last evaluations (0: none); ``patience`` ends a run after as many
    evaluations without a better one (0: never). Without held-out texts the last weights are taken.

    ``task="fill_mask"`` is a language model that ``pretrain`` trains: it hides ``mask_share`` of the tokens, by ``mask_unit``, and knows no labels.
    """

    name: str
    about: str
    base: str = ""
    task: str = "entities"
    labels: tuple[str, ...] = ENTITY_LABELS
    epochs: float = 3.0
    batch_size: int = 32
    learning_rate: float = 5e-4
    schedule: str = "linear"
    warmup: float = 0.06
    weight_decay: float = 0.01
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0
    dropout: float = 0.1
    attention_dropout: float = 0.0
    max_length: int = 256
    layers: int = 0
    precision: str = "bf16"
    evals_per_epoch: float = 4.0
    eval_panels: int = 600
    panels: str = "all"
    min_characters: int = 0
    checkpoint_seconds: float = 240.0
    seed: int = 42
    keep: str = "last"
    average: int = 0
    patience: int = 0
    class_weights: str = "none"
    label_smoothing: float = 0.0
    augment_share: float = 0.0
    packing: str = "auto"
    micro_tokens: int = 0
    gradient_checkpointing: bool = False
    mask_share: float = 0.15
    mask_unit: str = "token"

    def with_settings(self, settings: Mapping[str, str]) -> Recipe:
        """The recipe with ``settings`` put over it; each value is read as its field's type and checked.

        Raises ``TrainingError`` for a name that is no hyperparameter, an unreadable value, or one out of its range.
        """
        changes = {name: _parse(name, value) for name, value in settings.items()}
        changed = dataclasses.replace(self, **changes)
        changed.check()
        return changed

    def check(self) -> None:
        """Raise ``TrainingError`` for a hyperparameter out of its range."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise TrainingError(f"{name} must lie between {low:g} and {high:g}, not {value:g}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise TrainingError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)}")
        if self.task not in {*TASKS, FILL_MASK}:
            raise TrainingError(f"there is no task {self.task}; there are {', '.join(TASKS)} and {FILL_MASK}")
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise TrainingError("labels must name each entity type once")
        if AUTO_LABELS[0] in self.labels and self.labels != AUTO_LABELS:
            raise TrainingError("labels must be auto, or name the entity types")
        if self.average and self.keep == "best":
            raise TrainingError("the weights are the best ones or a mean, not both; choose keep=best or average")
        if not self.evals_per_epoch and (self.average or self.patience or self.keep == "best"):
            raise TrainingError("keep=best, average and patience go by evaluations; set evals_per_epoch above 0")
        if self.task == FILL_MASK and (differing := sorted(name for name in _LABELLING if getattr(self, name) != _DEFAULTS[name])):
            raise TrainingError(f"a language model has nothing to do with {', '.join(differing)}; leave it out")

    def hyperparameters(self) -> dict[str, Any]:
        """What belongs on the card: every field but the recipe's own name and description."""
        fields = dataclasses.asdict(self)
        others = _LABELLING if self.task == FILL_MASK else _MASKING
        return {name: value for name, value in fields.items() if name not in {"name", "about", "base", "labels"} | others}


#: ``labels`` of a recipe that takes them from the training texts.
AUTO_LABELS: Final = ("auto",)
#: The task of a masked language model; the others are ``tasks.TASKS``.
FILL_MASK: Final = "fill_mask"
#: What only a language model, and only a token classifier, has to do with.
_MASKING: Final = frozenset({"mask_share", "mask_unit"})
_LABELLING: Final = frozenset({"layers", "panels", "keep", "average", "patience", "class_weights", "label_smoothing", "augment_share"})
_DEFAULTS: Final[Mapping[str, Any]] = {field.name: field.default for field in dataclasses.fields(Recipe)}
#: Fields that make a recipe this recipe: another task or name would be another one.
_FIXED: Final = frozenset({"name", "about", "base", "task"})
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "epochs": (0.001, 1000),
    "batch_size": (1, 4096),
    "learning_rate": (1e-8, 1.0),
    "warmup": (0.0, 1.0),
    "weight_decay": (0.0, 1.0),
    "adam_beta1": (0.0, 0.9999),
    "adam_beta2": (0.0, 0.99999),
    "adam_epsilon": (1e-12, 1e-2),
    "max_grad_norm": (0.0, 1000.0),
    "dropout": (0.0, 0.9),
    "attention_dropout": (0.0, 0.9),
    "max_length": (16, 8192),
    "layers": (0, 200),
    "evals_per_epoch": (0.0, 1000),
    "eval_panels": (0, 10**9),
    "min_characters": (0, 10**6),
    "checkpoint_seconds": (1.0, 86400.0),
    "seed": (0, 2**32 - 1),
    "average": (0, 1000),
    "patience": (0, 1000),
    "label_smoothing": (0.0, 0.9),
    "augment_share": (0.0, 1.0),
    "micro_tokens": (0, 10**6),
    "mask_share": (0.01, 0.9),
}
_CHOICES: Final[Mapping[str, Sequence[str]]] = {
    "schedule": ("linear", "cosine", "constant_with_warmup"),
    "precision": ("bf16", "fp32"),
    "panels": ("all", "labelled"),
    "keep": ("last", "best"),
    "class_weights": ("none", "balanced"),
    "packing": ("auto", "off"),
    "mask_unit": ("token", "word"),
}


def _parse(name: str, value: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    if name in _FIXED or name not in fields:
        known = ", ".join(sorted(set(fields) - _FIXED))
        raise TrainingError(f"there is no hyperparameter {name}; there are {known}")
    kind = fields[name].type
    try:
        if kind == "tuple[str, ...]":
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if kind == "bool":
            return {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}[value.strip().lower()]
        return {"int": int, "float": float, "str": str}[str(kind)](value)
    except (ValueError, KeyError) as error:
        raise TrainingError(f"{name} cannot be {value!r}") from error


JNLPBA_LABELS: Final = ("protein", "cell_type", "DNA", "cell_line", "RNA")
CRAFT_LABELS: Final = ("Sequence", "Cell", "Protein", "Gene", "Taxon", "Chemical")
#: ``eval_panels`` of those whose authors measure each epoch on all held-out texts.
ALL: Final = 10**9
#: What both systems trained on CRAFT have in common.
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
            about="EMBO/sd-ner as its card states it: RoBERTa base (EMBO/bio-lm) on the seven labels of sd-nlp.",
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
            about="The bundled model: six layers of 384, a high rate for its small size, all eight labels.",
            base="sentence-transformers/all-MiniLM-L6-v2",
            panels="labelled",
            min_characters=80,
        ),
        Recipe(
            name="panelization",
            about="Where panels start, read from whole figure legends: three layers are enough for letters and what stands around them.",
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
            about="Which gene products were perturbed and which measured, read from panels in which they are masked.",
            base="bundled",
            task="geneprod_roles",
            labels=VARIABLE_ROLES,
            learning_rate=3e-4,
            epochs=2.0,
        ),
        Recipe(
            name="small-mol-roles",
            about="Which small molecules were applied and which measured, read from panels in which they are masked.",
            base="bundled",
            task="small_mol_roles",
            labels=VARIABLE_ROLES,
            learning_rate=3e-4,
            epochs=3.0,
        ),
        Recipe(
            name="scibert-jnlpba",
            about="fran-martinez/scibert_scivocab_cased_ner_jnlpba as its card states it: SciBERT on the five types of JNLPBA, the best epoch kept.",
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
            about="StivenLancheros' CRAFT_AugmentedTransfer_EN as its card states it: a Spanish biomedical RoBERTa on CRAFT with a fifth of the "
            "entities replaced, then once more on CRAFT as it is.",
            base="PlanTL-GOB-ES/roberta-base-biomedical-clinical-es",
            labels=CRAFT_LABELS,
            augment_share=0.2,
            **_CRAFT,
        ),
        Recipe(
            name="biobert-craft",
            about="StivenLancheros' Biobert-base-cased-v1.2-finetuned-ner-CRAFT as its card states it: BioBERT on the six types of CRAFT.",
            base="dmis-lab/biobert-base-cased-v1.2",
            labels=CRAFT_LABELS,
            **_CRAFT,
        ),
        Recipe(
            name="bio-lm",
            about="EMBO/bio-lm as its card states it: RoBERTa base goes on as a masked language model on unlabelled texts of the field.",
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
            about="Continues from a tagger that is already good, on a few thousand corrected panels: minutes on a CPU.",
            base="bundled",
            epochs=2.0,
            learning_rate=2e-4,
            warmup=0.1,
            evals_per_epoch=2.0,
            eval_panels=300,
            checkpoint_seconds=60.0,
            keep="best",
        ),
    )
}


def recipe_named(name: str) -> Recipe:
    """The recipe ``name``. Raises ``TrainingError`` naming those there are."""
    try:
        return RECIPES[name]
    except KeyError:
        raise TrainingError(f"there is no recipe {name}; there are {', '.join(RECIPES)}") from None
