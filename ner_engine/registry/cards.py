"""The model card, in the order in which model hubs have it: what a model is and is for, what it was
made from and by what, how well it does, and whose it is. Every figure comes from the run itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ner_engine.registry.recipes import Recipe

_FRONT: Final = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_LICENCE_LINE: Final = re.compile(r"^license:[ \t]*(?:\n[ \t]*-[ \t]+)?(\S+)", re.MULTILINE)
#: What a model of a task does with a text, and how other programs ask it.
_DOES: Final[Mapping[str, str]] = {
    "entities": "Finds entities in figure legends and other short scientific texts",
    "panels": "Finds where the panels of a figure legend start",
    "geneprod_roles": (
        "Tells which gene products of a panel were perturbed and which measured, from a text in"
        " which they are masked"
    ),
    "small_mol_roles": (
        "Tells which small molecules of a panel were applied and which measured, from a text in"
        " which they are masked"
    ),
}
_PIPELINE: Final = """```python
from transformers import pipeline

pipeline("token-classification", model="FOLDER", aggregation_strategy="first")("Legend of a figure.")
```"""  # noqa: E501
#: Beside the name of a side whose scores are better than those of papers that decided nothing.
_CHOSEN_BY: Final = ", by which the weights were chosen"
_TAG: Final = """```
python -m ner_engine tag --model FOLDER --in texts.jsonl
```"""


@dataclass(frozen=True, slots=True)
class Blend:
    """How much of the base (0-1) is in a model, and the micro F1 (0-1) of each share that was
    measured for it."""

    share: float
    f1: Mapping[float, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "share_of_base": self.share,
            "micro_f1": [[share, round(f1, 6)] for share, f1 in self.f1.items()],
        }


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The facts of a finished run. ``history`` holds its evaluations in order, ``scores`` the final
    ones by side (see ``Evaluation.as_json``).

    ``weights_of`` are the steps whose weights, or the mean of them, the model has; empty where it
    has the last. ``base_licence`` is the one that the base's own card names, "" where it names
    none; ``blend`` is how much of it was mixed in at the end. ``machine`` says in words what it ran
    on.
    """

    recipe: Recipe
    base: str
    command: str
    labels: Sequence[str]
    counts: Mapping[str, int]
    data_hash: str
    history: Sequence[Mapping[str, Any]]
    scores: Mapping[str, Mapping[str, Any]]
    weights_of: Sequence[int] = ()
    blend: Blend | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    base_licence: str = ""
    machine: str = ""


def card(record: RunRecord) -> str:
    """The card as Markdown."""
    parts = [
        _front_matter(record),
        f"# {record.recipe.name}",
        f"## Model description\n\n{_description(record)}",
        f"## Intended uses & limitations\n\n{_uses(record)}",
        f"## Training data\n\n{_data(record)}",
        f"## Training procedure\n\n```\n{record.command}\n```\n\n{_made_with(record)}",
        "### Hyperparameters\n\n"
        + table(("name", "value"), sorted(record.recipe.hyperparameters().items())),
        "### While it trained\n\n"
        + _history(record.history, record.weights_of)
        + _blend(record.blend),
        "## Eval results",
        *(
            _scores(side + (_CHOSEN_BY if side == "eval" and _chose(record) else ""), scores)
            for side, scores in record.scores.items()
        ),
        *(() if record.scores else ("Nothing was held out, so nobody knows how well it does.",)),
        f"## Licence\n\n{_licence(record)}",
    ]
    return "\n\n".join(parts) + "\n"


def licence_in(text: str) -> str:
    """The licence that a card's front matter names, the first of several; empty where it names
    none."""
    front = _FRONT.match(text.replace("\r\n", "\n"))
    named = _LICENCE_LINE.search(front[1]) if front else None
    return named[1].strip("'\"[],").lower() if named else ""


def _front_matter(record: RunRecord) -> str:
    return (
        "---\npipeline_tag: token-classification\nlibrary_name: transformers\ntags:\n-"
        " biomedical\n- named-entity-recognition\n---"
    )


def _description(record: RunRecord) -> str:
    return (
        f"{_DOES[record.recipe.task]}. Labels: {', '.join(record.labels)}. Base model:"
        f" {record.base}. Recipe: {record.recipe.about}"
    )


def _uses(record: RunRecord) -> str:
    how = (
        f"{_PIPELINE}\n\nBy whole words, and with texts of any length:\n\n{_TAG}"
        if record.recipe.task == "entities"
        else _TAG
    )
    return (
        "For tags that a person then corrects, in texts like those it learned from. Not for"
        " clinical notes, not for decisions about people, and not where nobody looks: some of its"
        " tags are wrong and some are missing, see the scores where there are any. What was rare"
        " in its training data is found least well; for other languages, fields and kinds of text"
        f" nobody measured it.\n\n{how}"
    )


def _data(record: RunRecord) -> str:
    counts = ", ".join(f"{value:,} {name}" for name, value in record.counts.items())
    return (
        f"Texts: {counts}. No paper lies on two sides, and a text that occurs twice was taken once,"
        f" on the side that is held out. SHA-256 of the data: `{record.data_hash}`."
    )


def _made_with(record: RunRecord) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return f"Made with {versions}{', on ' + record.machine if record.machine else ''}."


def _licence(record: RunRecord) -> str:
    base = (
        f"{record.base} is under {record.base_licence}"
        if record.base_licence
        else f"The card of {record.base} names no licence"
    )
    return (
        f"{base}. These weights come from it and from the texts named above: who gives them away"
        " needs the right to do so from both, and names the licence in the first lines of this"
        " card."
    )


def _history(history: Sequence[Mapping[str, Any]], weights_of: Sequence[int]) -> str:
    if not history:
        return "No evaluation was asked for on the way."
    rows = [
        (
            f"{event['epoch']:.2f}",
            event["step"],
            *(
                f"{event[loss]:.4f}" if event.get(loss) is not None else ""
                for loss in ("loss", "eval_loss")
            ),
            *_figures(event["micro"]),
            f"{event['words']['accuracy']:.4f}" if "accuracy" in event["words"] else "",
            "kept" if event["step"] in weights_of else "",
        )
        for event in history
    ]
    note = (
        "Precision, recall and F1 are the micro average of strict spans on"
        f" {history[-1]['documents']:,} held-out texts, accuracy is that of their words; the"
        " training loss is the mean over the steps since the row above."
    )
    if len(weights_of) > 1:
        note += " The model has the mean of the weights kept."
    return f"{note}\n\n{table(('epoch', 'step', 'training loss', 'validation loss', 'P', 'R', 'F1', 'accuracy', ''), rows)}"  # noqa: E501


def _chose(record: RunRecord) -> bool:
    """Whether the eval side decided which weights the model has."""
    return bool(record.weights_of or (record.blend and record.blend.f1))


def _blend(found: Blend | None) -> str:
    if found is None:
        return ""
    measured = ", ".join(f"{share:.0%}: {f1:.4f}" for share, f1 in found.f1.items())
    because = f"; micro F1 on the eval side by that share: {measured}" if measured else ""
    mixed = (
        f"\n\nThe weights are a mixture: {found.share:.0%} of the base's and {1 - found.share:.0%}"
        f" of those that training ended with{because}"
    )
    return f"{mixed}."


def _scores(side: str, scores: Mapping[str, Any]) -> str:
    parts = [
        (
            f"### On {side} ({scores['documents']:,} texts)\n\nStrict character"
            f" spans:\n\n{_score_table(scores)}"
        ),
        f"Words of sd-nlp, as seqeval counts them:\n\n{_score_table(scores['words'])}",
    ]
    if "by_word" in scores["words"]:
        parts.append(
            "Each word by itself, right where its B- or I- label is (accuracy over all words"
            f" {scores['words']['accuracy']:.4f}):\n\n{_score_table(scores['words']['by_word'])}"
        )
    return "\n\n".join(parts)


def _score_table(scores: Mapping[str, Any]) -> str:
    by_label = [
        (label, *_figures(values), values["support"])
        for label, values in scores["by_label"].items()
    ]
    micro = ("micro average", *_figures(scores["micro"]), scores["micro"]["support"])
    macro = ("macro average", *_figures(scores["macro"]), scores["micro"]["support"])
    return table(("label", "P", "R", "F1", "support"), [*by_label, micro, macro])


def _figures(values: Mapping[str, float]) -> tuple[str, str, str]:
    return (f"{values['precision']:.4f}", f"{values['recall']:.4f}", f"{values['f1']:.4f}")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown; what a cell holds stays in it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_in_cell(cell) for cell in line) + " |" for line in lines)


def _in_cell(value: object) -> str:
    return " ".join(str(value).replace("|", "/").split())
