"""Named recipes: everything that decides how a training run goes, in one frozen object.

A recipe holds hyperparameters alone. Data, base model and output folder are arguments of a run, so
the same recipe trains again on any labelled set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ner_engine.errors import TrainingError
from ner_engine.registry.tasks import TASKS, VARIABLE_ROLES
from ner_engine.schema import ENTITY_LABELS, PUBLIC_ENTITY_LABELS


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of a run: of a token classifier, or of a masked language model.

    ``labels`` are the entity types, from which O and B-/I- of each are made unless the base brings
    its own head with the same types; ``("auto",)`` takes those of the training texts. ``task``
    names one of ``tasks.TASKS``. ``max_length`` counts tokens of one window, ``layers`` keeps the
    first of the base's (0: all), ``warmup`` and ``epochs`` may be fractions, ``checkpoint_seconds``
    is how much work an interruption may cost.

    Texts: one must be longer than ``min_characters`` to be an example. ``panels="labelled"`` leaves
    out what has no entity: right where nobody looked at it (a third of SourceData's panels), wrong
    where a curator decided that there is none. ``augment_share`` above 0 makes two steps: the first
    learns from the texts and from copies in which that share of the entities is replaced, the
    second goes on from there with the texts alone.

    Steps: ``batch_size`` counts the examples of a step over all processes. It is worked off in
    micro-batches of at most ``micro_tokens`` tokens (0: as suits the device), end to end in one row
    where the architecture allows it and ``packing`` is "auto". ``gradient_checkpointing`` computes
    activations twice instead of keeping them: less memory, a third more time.
    ``class_weights="balanced"`` gives each label the same say, ``label_smoothing`` spreads that
    share of a token's truth over all labels.

    Evaluations: ``eval_panels`` bounds the held-out texts that are tagged on the way; the end is
    measured on all. ``keep="best"`` takes the weights of the evaluation with the best micro F1,
    ``average`` the mean over that many last evaluations (0: none); ``patience`` ends a run after as
    many evaluations without a better one (0: never). Without held-out texts the last weights are
    taken. ``blend`` mixes what was taken with the base (see ``blending``): by that share of the
    base, or with "auto" by one of the ``SHARES_OF_BASE``.

    ``task="fill_mask"`` is a language model that ``pretrain`` trains: it hides ``mask_share`` of
    the tokens, by ``mask_unit``, and knows no labels.
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
    blend: str = "off"
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
        """The recipe with ``settings`` put over it; each value is read as its field's type and
        checked.

        Raises ``TrainingError`` for a name that is no hyperparameter, an unreadable value, or one
        out of its range.
        """
        changes = {name: _parse(name, value) for name, value in settings.items()}
        changed = dataclasses.replace(self, **changes)
        changed.check()
        return changed

    def check(self) -> None:
        """Raise ``TrainingError`` for a hyperparameter out of its range."""
        for name in (*_RANGES, *_CHOICES):
            _check_value(name, getattr(self, name))
        if self.task not in {*TASKS, FILL_MASK}:
            raise TrainingError(
                f"there is no task {self.task}; there are {', '.join(TASKS)} and {FILL_MASK}"
            )
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise TrainingError("labels must name each entity type once")
        if AUTO_LABELS[0] in self.labels and self.labels != AUTO_LABELS:
            raise TrainingError("labels must be auto, or name the entity types")
        if self.average and self.keep == "best":
            raise TrainingError(
                "the weights are the best ones or a mean, not both; choose keep=best or average"
            )
        if not self.evals_per_epoch and (self.average or self.patience or self.keep == "best"):
            raise TrainingError(
                "keep=best, average and patience go by evaluations; set evals_per_epoch above 0"
            )
        if self.task == FILL_MASK and (
            differing := sorted(
                name for name in _LABELLING if getattr(self, name) != _DEFAULTS[name]
            )
        ):
            raise TrainingError(
                f"a language model has nothing to do with {', '.join(differing)}; leave it out"
            )

    def hyperparameters(self) -> dict[str, Any]:
        """What belongs on the card: every field but the recipe's own name and description."""
        fields = dataclasses.asdict(self)
        others = _LABELLING if self.task == FILL_MASK else _MASKING
        return {
            name: value
            for name, value in fields.items()
            if name not in {"name", "about", "base", "labels"} | others
        }


#: ``labels`` of a recipe that takes them from the training texts.
AUTO_LABELS: Final = ("auto",)
#: The task of a masked language model; the others are ``tasks.TASKS``.
FILL_MASK: Final = "fill_mask"
#: What only a language model, and only a token classifier, has to do with.
_MASKING: Final = frozenset({"mask_share", "mask_unit"})
_LABELLING: Final = frozenset(
    {
        "layers",
        "panels",
        "keep",
        "average",
        "blend",
        "patience",
        "class_weights",
        "label_smoothing",
        "augment_share",
    }
)
_DEFAULTS: Final[Mapping[str, Any]] = {
    field.name: field.default for field in dataclasses.fields(Recipe)
}
_KINDS: Final[Mapping[str, Any]] = {field.name: field.type for field in dataclasses.fields(Recipe)}
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
    "blend": ("off", "auto", "0.25", "0.5", "0.75"),
    "class_weights": ("none", "balanced"),
    "packing": ("auto", "off"),
    "mask_unit": ("token", "word"),
}


#: With ``blend="auto"``: how much of the base may be in the finished model (0-1). Never all of it:
#: nothing would have been learned.
SHARES_OF_BASE: Final = (0.0, 0.25, 0.5, 0.75)

#: What each hyperparameter means, for those who choose; in the order in which they are shown.
_MEANINGS: Final[Mapping[str, str]] = {
    "epochs": "How often each text is learned from. A fraction stops within a pass.",
    "learning_rate": (
        "How far a step moves the weights, at its highest. Too high forgets what the base knew, too"
        " low learns little."
    ),
    "batch_size": "Examples that a step learns from together, over all processes.",
    "schedule": (
        "How the learning rate falls after its highest: in a line, along a cosine, or not at all."
    ),
    "warmup": "Share of the steps in which the learning rate rises from nothing to its highest.",
    "weight_decay": "How strongly large weights are pulled towards zero.",
    "adam_beta1": "How much of the last steps' direction the optimiser keeps.",
    "adam_beta2": "How much of the last steps' size the optimiser keeps.",
    "adam_epsilon": "A small number that keeps the optimiser from dividing by nothing.",
    "max_grad_norm": "A step larger than this is cut to it; 0 cuts none.",
    "dropout": (
        "Share of the activations that are left out by chance in training, against learning by"
        " heart."
    ),
    "attention_dropout": "The same of the attention between tokens.",
    "max_length": "Tokens of one window; a longer text is read in several windows that overlap.",
    "layers": (
        "How many of the base's first layers are kept; 0 keeps all. Fewer are faster and know less."
    ),
    "precision": "What products are computed in: bf16 where the machine is fast in it, else fp32.",
    "evals_per_epoch": (
        "How often a pass the model is measured on the evaluation texts; 0 measures at the end"
        " alone."
    ),
    "eval_panels": (
        "At most so many evaluation texts are measured on the way; the end is measured on all."
    ),
    "checkpoint_seconds": "How much work, in seconds, an interruption may cost.",
    "seed": (
        "What decides the order of the texts and every other chance: the same seed gives the same"
        " model."
    ),
    "keep": (
        "Whose weights the model gets: those of the evaluation with the best micro F1, or the last."
    ),
    "average": (
        "The mean of the weights at so many last evaluations is taken; 0 takes none, and wants"
        " keep=last."
    ),
    "blend": (
        "How much of the base is mixed into the weights in the end, so that less is forgotten; auto"
        " takes as much as the evaluation texts allow without loss, half where there are none."
        " Without effect where the base tells other labels."
    ),
    "patience": (
        "The run ends after so many evaluations without a better one; 0 never ends it early."
    ),
    "class_weights": (
        "balanced gives each label the same say, however rare it is; none counts each token alike."
    ),
    "label_smoothing": (
        "Share of a token's truth that is spread over all labels, against being too sure."
    ),
    "augment_share": (
        "Share of the entities replaced by others of their label in copies that are learned from"
        " first; 0 makes no copies."
    ),
    "packing": "auto puts examples end to end, without padding, where the architecture allows it.",
    "micro_tokens": (
        "Tokens that are computed at a time; 0 as suits the device. Less needs less memory and"
        " gives the same model."
    ),
    "gradient_checkpointing": (
        "Compute activations twice instead of keeping them: less memory, a third more time."
    ),
    "labels": "The entity types to be told, with commas; auto takes those of the training texts.",
    "panels": "labelled leaves out texts in which nothing was found.",
    "min_characters": "A text must be longer than this to be an example.",
    "mask_share": "Share of the tokens that a language model has to guess.",
    "mask_unit": "Whether tokens are hidden singly or word by word.",
}


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A field of a recipe as a person chooses it: what it means, and in words what it may be."""

    name: str
    meaning: str
    permitted: str


def hyperparameters() -> list[Hyperparameter]:
    """All that a run may be told by name and value, the most asked for first."""
    return [Hyperparameter(name, meaning, _permitted(name)) for name, meaning in _MEANINGS.items()]


def _permitted(name: str) -> str:
    kind = str(_KINDS[name])
    if name in _RANGES:
        low, high = _RANGES[name]
        return f"{'whole number, ' if kind == 'int' else ''}{_as_number(low)} to {_as_number(high)}"
    if name in _CHOICES:
        return " or ".join(_CHOICES[name])
    return "true or false" if kind == "bool" else "names, with commas"


def _as_number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def checked_value(name: str, value: str) -> Any:
    """What ``value`` stands for as that hyperparameter by itself. Raises ``TrainingError`` where it
    is none, is unreadable, or out of its range."""
    found = _parse(name, value)
    _check_value(name, found)
    return found


def _check_value(name: str, value: Any) -> None:
    if name in _RANGES:
        low, high = _RANGES[name]
        if not low <= value <= high:
            shown = f"{value:g}" if isinstance(value, float) else str(value)[:20]
            raise TrainingError(f"{name} must lie between {low:g} and {high:g}, not {shown}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise TrainingError(f"{name} must be one of {', '.join(_CHOICES[name])}, not {value}")


def _parse(name: str, value: str) -> Any:
    if name in _FIXED or name not in _KINDS:
        known = ", ".join(sorted(set(_KINDS) - _FIXED))
        raise TrainingError(f"there is no hyperparameter {name}; there are {known}")
    kind = _KINDS[name]
    try:
        if kind == "tuple[str, ...]":
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if kind == "bool":
            return {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}[
                value.strip().lower()
            ]
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
            about=(
                "EMBO/sd-ner as its card states it: RoBERTa base (EMBO/bio-lm) on the seven labels"
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
                "The bundled model: six layers of 384, a high rate for its small size, all eight"
                " labels."
            ),
            base="sentence-transformers/all-MiniLM-L6-v2",
            panels="labelled",
            min_characters=80,
        ),
        Recipe(
            name="panelization",
            about=(
                "Where panels start, read from whole figure legends: three layers are enough for"
                " letters and what stands around them."
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
                "Which gene products were perturbed and which measured, read from panels in which"
                " they are masked."
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
                "Which small molecules were applied and which measured, read from panels in which"
                " they are masked."
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
                "fran-martinez/scibert_scivocab_cased_ner_jnlpba as its card states it: SciBERT on"
                " the five types of JNLPBA, the best epoch kept."
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
                "StivenLancheros' CRAFT_AugmentedTransfer_EN as its card states it: a Spanish"
                " biomedical RoBERTa on CRAFT with a fifth of the entities replaced, then once more"
                " on CRAFT as it is."
            ),
            base="PlanTL-GOB-ES/roberta-base-biomedical-clinical-es",
            labels=CRAFT_LABELS,
            augment_share=0.2,
            **_CRAFT,
        ),
        Recipe(
            name="biobert-craft",
            about=(
                "StivenLancheros' Biobert-base-cased-v1.2-finetuned-ner-CRAFT as its card states"
                " it: BioBERT on the six types of CRAFT."
            ),
            base="dmis-lab/biobert-base-cased-v1.2",
            labels=CRAFT_LABELS,
            **_CRAFT,
        ),
        Recipe(
            name="bio-lm",
            about=(
                "EMBO/bio-lm as its card states it: RoBERTa base goes on as a masked language model"
                " on unlabelled texts of the field."
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
                "Continues from a tagger that is already good, on a few thousand corrected panels:"
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
    """The recipe ``name``. Raises ``TrainingError`` naming those there are."""
    try:
        return RECIPES[name]
    except KeyError:
        raise TrainingError(f"there is no recipe {name}; there are {', '.join(RECIPES)}") from None
