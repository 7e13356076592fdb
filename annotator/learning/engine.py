"""The one door from the site to the torch half of the engine.

Everything of it is imported inside functions: recipes and catalogue need no torch and may be asked from a web request; a tagger is loaded in
workers and commands alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from annotator.common.errors import UserError
from ner_engine.schema import Document, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from annotator.learning.models import ModelVersion
    from ner_engine.model.catalog import Listed
    from ner_engine.model.schemes import LabelScheme, Translation
    from ner_engine.model.tagger import Tagger

#: Taggers that a process keeps loaded: the serving one, and beside it a candidate that is being judged.
LOADED_AT_ONCE: Final = 2
#: A recipe's fields that are no hyperparameters of a run, or that the site sets by itself.
_NOT_ASKED: Final = frozenset({"name", "about", "base", "task", "labels", "panels", "min_characters", "mask_share", "mask_unit"})

#: The files of a tokenizer that decide what it makes of a text.
_TOKENIZER_FILES: Final = ("merges.txt", "tokenizer.json", "vocab.json", "vocab.txt")


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """A recipe as a person chooses it. ``base`` is what it trains from where nothing else is said; ``defaults`` are its hyperparameters."""

    name: str
    about: str
    base: str
    defaults: Mapping[str, int | float | str]


def recipes() -> dict[str, RecipeFacts]:
    """The recipes that learn from reviewed legends, by name."""
    from ner_engine.model.recipes import FILL_MASK, RECIPES  # noqa: PLC0415

    return {
        name: RecipeFacts(name, recipe.about, recipe.base, {key: value for key, value in dataclasses.asdict(recipe).items() if key not in _NOT_ASKED})
        for name, recipe in RECIPES.items()
        if recipe.task != FILL_MASK
    }


def checked_hyperparameters(recipe: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters of a run: the recipe's with ``settings`` over them. Raises ``UserError`` for an unknown or impossible one."""
    from ner_engine.errors import TrainingError  # noqa: PLC0415
    from ner_engine.model.recipes import recipe_named  # noqa: PLC0415

    try:
        changed = recipe_named(recipe).with_settings({name: str(value) for name, value in settings.items()})
    except TrainingError as error:
        raise UserError(f"{error}.") from error
    return {key: value for key, value in dataclasses.asdict(changed).items() if key not in _NOT_ASKED}


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """A model as it lies on disk. ``sha256`` is over all that decides its tags: weights, config and tokenizer."""

    name: str
    folder: Path
    labels: tuple[str, ...]
    sha256: str


def inspect_model(name_or_dir: str | Path) -> CheckpointFacts:
    """What ``name_or_dir`` (bundled, a folder, a cached hub name) is, without loading it.

    Raises ``ModelNotFoundError`` or ``UnsafeModelError``, each with a sentence.
    """
    from ner_engine.model import catalog  # noqa: PLC0415

    found = catalog.find(name_or_dir)
    files = sorted([*found.folder.glob("*.safetensors"), found.folder / "config.json", *(found.tokenizer_folder / name for name in _TOKENIZER_FILES)])
    present = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files if path.is_file())
    return CheckpointFacts(found.name, found.folder, found.labels, _sha256(present))


def known_models() -> list[Listed]:
    """The models known by name with what keeps each from being loaded here; nothing is fetched."""
    from ner_engine.model.catalog import listing  # noqa: PLC0415

    return listing()


@dataclass(frozen=True, slots=True)
class SchemeFacts:
    """A label scheme: what becomes of each of its labels in each of the ``others``, in their order."""

    scheme: LabelScheme
    others: list[LabelScheme]
    rows: list[list[Translation]]


def label_schemes() -> list[SchemeFacts]:
    """The label schemes, each in every other."""
    from ner_engine.model.schemes import SCHEMES, translations  # noqa: PLC0415

    found = []
    for scheme in SCHEMES.values():
        others = [other for other in SCHEMES.values() if other != scheme]
        rows = zip(*(translations(scheme, other) for other in others), strict=True)
        found.append(SchemeFacts(scheme, others, [list(row) for row in rows]))
    return found


def is_bundled(location: str) -> bool:
    """Whether a model comes with the product."""
    from ner_engine.model.catalog import BUNDLED_FOLDERS  # noqa: PLC0415

    return location in BUNDLED_FOLDERS


def verify_model(model: ModelVersion) -> CheckpointFacts:
    """As ``inspect_model``; raises ``UserError`` where the files are not those that the version was registered with."""
    facts = inspect_model(model.path)
    if model.weights_sha256 and facts.sha256 != model.weights_sha256:
        raise UserError(f"The files of {model.name} are not those it was registered with. Choose another model, or restore them from a backup.")
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
    """The taggers of this process by model; one tags at a time, because it uses all cores or the whole accelerator."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Tagger] = OrderedDict()

    def tag(self, model: ModelVersion, texts: Sequence[str]) -> list[list[Span]]:
        with self._lock:
            return self._get(model).tag(texts)

    def _get(self, model: ModelVersion) -> Tagger:
        key = f"{model.path}:{model.weights_sha256}"
        if key not in self._loaded:
            facts = verify_model(model)
            from ner_engine.model.tagger import load_tagger  # noqa: PLC0415 - torch

            while len(self._loaded) >= LOADED_AT_ONCE:
                self._loaded.popitem(last=False)
            self._loaded[key] = load_tagger(facts.folder)
        self._loaded.move_to_end(key)
        return self._loaded[key]


_taggers = _Taggers()


def tag(model: ModelVersion, texts: Sequence[str]) -> list[list[Span]]:
    """The entities that ``model`` sees in each text. It stays loaded in this process; another model is loaded when it is asked for.

    Raises ``UserError`` where its files were changed, ``ModelNotFoundError``, ``UnsafeModelError``.
    """
    return _taggers.tag(model, texts)


def evaluate(model: ModelVersion, documents: Iterable[Document], *, before_each_batch: Callable[[], None]) -> dict[str, Any]:
    """Scores of ``model`` on labelled documents as ``ner_engine.model.evaluate`` gives them; ``before_each_batch`` may raise to stop."""
    from ner_engine.model.evaluate import evaluate as judge  # noqa: PLC0415 - torch

    return judge(_Watched(model, before_each_batch), documents).as_json()


@dataclass(frozen=True, slots=True)
class _Watched:
    """A model as ``evaluate`` asks it, in batches small enough to be stopped between."""

    model: ModelVersion
    before_each_batch: Callable[[], None]
    batch: int = 64

    @property
    def name(self) -> str:
        return self.model.name

    def tag(self, texts: Sequence[str]) -> list[list[Span]]:
        tagged: list[list[Span]] = []
        for start in range(0, len(texts), self.batch):
            self.before_each_batch()
            tagged += tag(self.model, texts[start : start + self.batch])
        return tagged


def training_command(*, recipe: str, data: Path, base: str, out: Path, settings: Mapping[str, Any]) -> list[str]:
    """The child process that trains; it goes on from a checkpoint in ``out`` where there is one. It prints events, a JSON object a line."""
    command = [sys.executable, "-m", "ner_engine", "train", "--recipe", recipe, "--data", str(data), "--base", base, "--out", str(out), "--resume"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    return command
