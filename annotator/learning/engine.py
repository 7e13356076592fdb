"""The one door from the site to the torch half of the engine.

Everything of it is imported inside functions: recipes and catalogue need no torch and may be asked
from a web request; a tagger is loaded in workers and commands alone.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from annotator.common.errors import UserError
from ner_engine.errors import DeviceError, TrainingError, UnsafeModelError
from ner_engine.schema import Document, Segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from annotator.learning.models import ModelVersion
    from ner_engine.inference.backends import Probabilities
    from ner_engine.inference.evaluation import Watcher
    from ner_engine.inference.pipeline import (
        Tagged as Tagged,  # noqa: PLC0414
    )
    from ner_engine.inference.tagger import Tagger
    from ner_engine.registry.catalogue import Checkpoint, Listed
    from ner_engine.registry.hyperparameters import Hyperparameter
    from ner_engine.registry.label_schemes import LabelScheme, Translation

log = structlog.get_logger(__name__)

#: Weights that a process keeps loaded beyond what it is asked for at the moment: room for the
#: models of a project's steps, and beside them a candidate that is being judged. Counted as
#: ``CheckpointFacts.n_bytes``.
KEPT_BYTES: Final = 2 * 1024**3
#: What packed weights, int8, take up once they are loaded.
_UNPACKED: Final = 4
#: The files of a tokenizer that decide what it makes of a text.
_TOKENIZER_FILES: Final = ("merges.txt", "tokenizer.json", "vocab.json", "vocab.txt")


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """A recipe as a person chooses it. ``task`` is what its models tell, ``base`` what it trains
    from where nothing else is said; ``defaults`` are its hyperparameters."""

    name: str
    about: str
    task: str
    base: str
    defaults: Mapping[str, int | float | str]


def recipes() -> dict[str, RecipeFacts]:
    """The recipes that learn from reviewed legends, by name."""
    from ner_engine.registry.recipes import FILL_MASK, RECIPES  # noqa: PLC0415

    return {
        name: RecipeFacts(
            name,
            recipe.about,
            recipe.task,
            recipe.base,
            {each.name: getattr(recipe, each.name) for each in hyperparameters()},
        )
        for name, recipe in RECIPES.items()
        if recipe.task != FILL_MASK
    }


def hyperparameters() -> list[Hyperparameter]:
    """Return the hyperparameters that a training run of the site can be given."""
    from ner_engine.registry import hyperparameters as table  # noqa: PLC0415

    return [
        each
        for each in table.hyperparameters()
        if each.learner != table.Learner.LANGUAGE_MODEL and not each.selects_examples
    ]


def check_hyperparameter(name: str, value: str) -> None:
    """Raise ``UserError`` where the value cannot be that hyperparameter's, whatever the others
    are."""
    from ner_engine.registry.hyperparameters import checked_value  # noqa: PLC0415

    try:
        checked_value(name, value)
    except TrainingError as error:
        raise UserError(f"{error}.") from error


def task_of_recipe(name: str) -> str:
    """What models of this recipe tell. Raises ``UserError`` for a recipe that there is not."""
    known = recipes()
    if name not in known:
        raise UserError(f"There is no recipe {name}; there are {', '.join(known)}.")
    return known[name].task


def checked_hyperparameters(recipe: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters of a run: the recipe's with ``settings`` over them. Raises ``UserError``
    for an unknown or impossible one."""
    from ner_engine.registry.recipes import recipe_named  # noqa: PLC0415

    try:
        changed = recipe_named(recipe).with_settings(
            {name: str(value) for name, value in settings.items()}
        )
    except TrainingError as error:
        raise UserError(f"{error}.") from error
    return {each.name: getattr(changed, each.name) for each in hyperparameters()}


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """A model as it lies on disk. ``task`` is what it tells (see ``ner_engine.registry.tasks``),
    ``n_bytes`` about what it takes up in memory, ``is_packed`` whether other programs can read its
    weights only once they are unpacked; ``sha256`` is over all that decides its tags: weights,
    config and tokenizer."""

    name: str
    folder: Path
    task: str
    labels: tuple[str, ...]
    n_bytes: int
    is_packed: bool
    sha256: str


def inspect_model(name_or_dir: str | Path) -> CheckpointFacts:
    """What ``name_or_dir`` (bundled, a folder, a cached hub name) is, without loading it.

    Raises ``ModelNotFoundError`` or ``UnsafeModelError``, each with a sentence.
    """
    from ner_engine.registry import catalogue as catalog  # noqa: PLC0415

    found = catalog.find(name_or_dir)
    files = sorted(
        [
            *found.folder.glob("*.safetensors"),
            found.folder / "config.json",
            *(found.tokenizer_folder / name for name in _TOKENIZER_FILES),
        ]
    )
    present = tuple(
        (path, path.stat().st_mtime_ns, path.stat().st_size) for path in files if path.is_file()
    )
    is_packed = bool(found.config.get("packed_weights"))
    n_bytes = sum(size for path, _, size in present if path.suffix == ".safetensors") * (
        _UNPACKED if is_packed else 1
    )
    return CheckpointFacts(
        found.name,
        found.folder,
        _task_of(found),
        found.labels,
        n_bytes,
        is_packed,
        _sha256(present),
    )


def _task_of(checkpoint: Checkpoint) -> str:
    """What the model tells: as its configuration says, else as it is known, else as its labels
    do."""
    from ner_engine.registry.known_models import known_model  # noqa: PLC0415
    from ner_engine.registry.tasks import task_of  # noqa: PLC0415

    known = known_model(checkpoint.name)
    try:
        return task_of(
            checkpoint.config.get("span_task") or (known.task if known else None), checkpoint.labels
        ).name
    except TrainingError as error:
        raise UnsafeModelError(
            f'{checkpoint.name}: its files do not say what it tells; write "span_task" into its'
            ' config.json: "entities", "panels", "geneprod_roles" or "small_mol_roles"'
        ) from error


def known_models() -> list[Listed]:
    """The models known by name with what keeps each from being loaded here; nothing is fetched."""
    from ner_engine.registry.catalogue import listing  # noqa: PLC0415

    return listing()


@dataclass(frozen=True, slots=True)
class SchemeFacts:
    """A label scheme: what becomes of each of its labels in each of the ``others``, in their
    order."""

    scheme: LabelScheme
    others: list[LabelScheme]
    rows: list[list[Translation]]


def label_schemes() -> list[SchemeFacts]:
    """The label schemes, each in every other."""
    from ner_engine.registry.label_schemes import SCHEMES, translations  # noqa: PLC0415

    found = []
    for scheme in SCHEMES.values():
        others = [other for other in SCHEMES.values() if other != scheme]
        rows = zip(*(translations(scheme, other) for other in others), strict=True)
        found.append(SchemeFacts(scheme, others, [list(row) for row in rows]))
    return found


def is_bundled(location: str) -> bool:
    """Whether a model comes with the product."""
    from ner_engine.registry.catalogue import BUNDLED_FOLDERS  # noqa: PLC0415

    return location in BUNDLED_FOLDERS


def verify_model(model: ModelVersion) -> CheckpointFacts:
    """As ``inspect_model``; raises ``UserError`` where the files are not those that the version was
    registered with."""
    facts = inspect_model(model.path)
    if model.weights_sha256 and facts.sha256 != model.weights_sha256:
        raise UserError(
            f"The files of {model.name} are not those it was registered with. Choose another model,"
            " or restore them from a backup."
        )
    return facts


@lru_cache(maxsize=32)
def _sha256(files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _, size in files:
        digest.update(f"{path.name}:{size}\n".encode())
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


class _Taggers:
    """The taggers of this process by model; one works at a time, because it uses all cores or the
    whole accelerator."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, tuple[Tagger, int]] = OrderedDict()

    @contextmanager
    def of(self, models: Mapping[str, ModelVersion]) -> Iterator[dict[str, Tagger]]:
        """The taggers of ``models``, under the same names, for the caller alone while it uses them.

        A device that fails loses them all, so that what they hold of its memory is free for the
        next job.
        """
        with self._lock:
            keys = {name: f"{model.path}:{model.weights_sha256}" for name, model in models.items()}
            try:
                for name, model in models.items():
                    self._load(keys[name], model, needed=keys.values())
                yield {name: self._loaded[key][0] for name, key in keys.items()}
            except DeviceError as error:
                self._loaded.clear()
                log.error(
                    "device_failed",
                    models=[model.name for model in models.values()],
                    error=str(error),
                )
                raise

    def _load(self, key: str, model: ModelVersion, needed: Collection[str]) -> None:
        if key not in self._loaded:
            facts = verify_model(model)
            from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch

            for other in [
                other for other in self._loaded if other not in needed
            ]:  # the one that was used longest ago first
                if self._n_bytes + facts.n_bytes <= KEPT_BYTES:
                    break
                del self._loaded[other]
            self._loaded[key] = load_tagger(facts.folder), facts.n_bytes
        self._loaded.move_to_end(key)

    @property
    def _n_bytes(self) -> int:
        return sum(n_bytes for _, n_bytes in self._loaded.values())


_taggers = _Taggers()


def tag(
    models: Mapping[str, ModelVersion], texts: Sequence[str], segments: Sequence[Sequence[Segment]]
) -> list[Tagged]:
    """The steps that ``models``, by task, stand for, done on each text; ``segments`` are its panels
    where they are known.

    Models stay loaded in this process as long as there is room. Raises ``UserError`` where files of
    one were changed, ``ModelNotFoundError``, ``UnsafeModelError``, ``DeviceError``.
    """
    from ner_engine.inference.pipeline import Pipeline  # noqa: PLC0415 - torch
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    with _taggers.of(models) as taggers:
        roles = {
            TASKS[task].masked_label: tagger
            for task, tagger in taggers.items()
            if TASKS[task].masked_label
        }
        return Pipeline(
            panels=taggers.get("panels"), entities=taggers.get("entities"), roles=roles
        ).run(texts, segments)


def load(model: ModelVersion) -> None:
    """Have the model loaded in this process. Raises as ``tag``."""
    with _taggers.of({"": model}):
        pass


def role_label_of(task: str) -> str:
    """The label of the entities whose roles models of this task tell; "" for other tasks."""
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    return TASKS[task].masked_label


def reads_figures(task: str) -> bool:
    """Whether models of this task read whole figures; the others read panels."""
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    return not TASKS[task].by_panel


def n_parameters(name_or_dir: str | Path) -> int:
    """How many numbers the weights of a model are. Raises ``ModelNotFoundError`` or
    ``UnsafeModelError``."""
    from ner_engine.registry.catalogue import find_base  # noqa: PLC0415

    return find_base(name_or_dir).n_parameters


def labels_of_task(task: str) -> tuple[str, ...]:
    """The labels that models of this task tell; () where the data say which."""
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    return TASKS[task].labels


def example_rule(recipe: str) -> Callable[[Document], bool]:
    """Whether a row of a snapshot is an example that the recipe learns from, or is measured by on
    the way."""
    from ner_engine.registry.recipes import recipe_named  # noqa: PLC0415
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    rules = recipe_named(recipe)
    task, labelled_only = TASKS[rules.task], rules.panels == "labelled"
    return lambda document: (
        len(document.text) > rules.min_characters
        and task.is_example(document, labelled_only=labelled_only)
    )


def target_labels(task: str, document: Document) -> list[str]:
    """The label of each thing that a model of this task is to find in the text."""
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    return [span.label for span in TASKS[task].targets(document)]


def accelerators() -> list[tuple[str, str]]:
    """The accelerators that a training here can use: what its ``CUDA_VISIBLE_DEVICES`` must say,
    and a key that is the same in every process and container on the machine. Empty where the
    processor computes."""
    from ner_engine.inference import devices  # noqa: PLC0415 - torch

    return devices.accelerators()


def has_examples(task: str, documents: Iterable[Document]) -> bool:
    """Whether there is anything among ``documents`` that a model of this task could learn from, or
    be judged by."""
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    return any(TASKS[task].targets(document) for document in documents)


def evaluate(
    model: ModelVersion,
    documents: Iterable[Document],
    *,
    before_each_batch: Callable[[], None],
    watch: Watcher | None = None,
) -> dict[str, Any]:
    """Scores of ``model`` in its task on labelled documents as ``ner_engine.inference.evaluation``
    gives them, which tells ``watch`` of each text.

    ``before_each_batch`` may raise to stop.
    """
    from ner_engine.inference.evaluation import evaluate as judge  # noqa: PLC0415 - torch
    from ner_engine.inference.tagger import Tagger  # noqa: PLC0415
    from ner_engine.registry.tasks import TASKS  # noqa: PLC0415

    task = TASKS[model.task]
    with _taggers.of({"": model}) as taggers:
        loaded = taggers[""]
    watched = Tagger(
        model.name,
        _Watched(model, before_each_batch, loaded.backend.device),
        loaded.encoder,
        loaded.id2label,
    )
    return judge(
        watched,
        (text for text in task.texts(documents) if task.is_example(text)),
        task,
        watch=watch,
    ).as_json()


@dataclass(frozen=True, slots=True)
class _Watched:
    """A model's network as a judged tagger asks it: in batches small enough to be stopped between,
    and to let others have their turn."""

    model: ModelVersion
    before_each_batch: Callable[[], None]
    device: str
    batch: int = 64

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        rows: list[Probabilities] = []
        for start in range(0, len(windows), self.batch):
            self.before_each_batch()
            with _taggers.of({"": self.model}) as taggers:
                rows += taggers[""].run(windows[start : start + self.batch])
        return rows


def n_blends(
    hyperparameters: Mapping[str, Any], base_labels: Collection[str], labels: Collection[str]
) -> int:
    """How many mixtures with the base a run measures before it chooses one: none where the base
    tells other labels."""
    from ner_engine.registry.recipes import SHARES_OF_BASE  # noqa: PLC0415

    return (
        len(SHARES_OF_BASE)
        if hyperparameters["blend"] == "auto" and set(base_labels) == set(labels)
        else 0
    )


def licence_in(card: str) -> str:
    """The licence that a model card's front matter names, the first of several; empty where it
    names none."""
    from ner_engine.registry import cards  # noqa: PLC0415

    return cards.licence_in(card)


def card_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown, as the engine's cards have them."""
    from ner_engine.registry import cards  # noqa: PLC0415

    return cards.table(head, rows)


def training_command(
    *, recipe: str, data: Path, base: str, out: Path, settings: Mapping[str, Any]
) -> list[str]:
    """The child process that trains; it goes on from a checkpoint in ``out`` where there is one. It
    prints events, a JSON object a line."""
    command = [
        sys.executable,
        "-m",
        "ner_engine",
        "train",
        "--recipe",
        recipe,
        "--data",
        str(data),
        "--base",
        base,
        "--out",
        str(out),
        "--resume",
    ]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    return command


def series_command(
    *,
    program: str,
    recipe: str,
    data: Path,
    base: str,
    out: Path,
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
) -> list[str]:
    """The child process of a series of short trainings (``program``: label-errors or curve); it
    goes on where an earlier one in ``out`` stopped."""
    command = [
        sys.executable,
        "-m",
        "ner_engine",
        program,
        "--recipe",
        recipe,
        "--data",
        str(data),
        "--base",
        base,
        "--out",
        str(out),
        "--resume",
    ]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    return command


def check_series(
    *, program: str, recipe: str, base: str, settings: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Raise ``UserError`` for a series that could not begin. Loads no torch."""
    from ner_engine.registry.plans import plan_of  # noqa: PLC0415

    try:
        plan_of(
            program,
            recipe=recipe,
            base=base,
            settings={name: str(value) for name, value in settings.items()},
            options=options,
        ).check()
    except TrainingError as error:
        raise UserError(f"{error}.") from error
