"""Model cards in Markdown, with the sections that model hubs use.

A card says what a model is for, how it was trained, its scores and its licence (Mitchell et al.
2019, "Model cards for model reporting"). All figures come from the training run itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ner_engine.registry.recipes import Recipe

_FRONT: Final = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
#: The licence entry of the front matter; several licences are a list on lines of their own.
_LICENCE_ENTRY: Final = re.compile(r"^license:(.*(?:\n[ \t]*-[ \t].*)*)", re.MULTILINE)
#: The first sentence of the description, by task.
_DOES: Final[Mapping[str, str]] = {
    "entities": "Predicts entities in figure legends and other short scientific texts",
    "panels": "Predicts where the panels of a figure legend start",
    "geneprod_roles": (
        "Predicts which gene products of a panel were perturbed and which were measured, from a"
        " text in which they are masked"
    ),
    "small_mol_roles": (
        "Predicts which small molecules of a panel were applied and which were measured, from a"
        " text in which they are masked"
    ),
}
_PIPELINE: Final = """```python
from transformers import pipeline

tag = pipeline("token-classification", model="FOLDER", aggregation_strategy="first")
tag("Legend of a figure.")
```"""
#: Marks the split whose scores are too high, because they decided which weights to keep.
_CHOSEN_BY: Final = ", by which the weights were chosen"
_TAG: Final = """```
python -m ner_engine tag --model FOLDER --in texts.jsonl
```"""


@dataclass(frozen=True, slots=True)
class WeightAveraging:
    """The result of weight averaging with the base model (Wortsman et al. 2022).

    ``share`` is the fraction of the base model (0-1). ``f1`` has the micro F1 (0-1) of each
    fraction that was measured.
    """

    share: float
    f1: Mapping[float, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "share_of_base": self.share,
            "micro_f1": [[share, round(f1, 6)] for share, f1 in self.f1.items()],
        }


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The facts of a finished training run.

    ``history`` has the evaluations in order, and ``scores`` the final ones by split (see
    ``Evaluation.as_json``). ``weights_of`` are the steps whose mean weights the model has, empty
    for the last step. ``blend`` is the weight averaging with the base model, None if there was
    none. ``base_licence`` is the licence in the card of the base model, "" if it names none.
    ``machine`` describes the hardware.
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
    blend: WeightAveraging | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    base_licence: str = ""
    machine: str = ""


def card(record: RunRecord) -> str:
    """Return the card as Markdown."""
    procedure = f"```\n{record.command}\n```\n\n{_made_with(record)}"
    hyperparameters = sorted(record.recipe.hyperparameters().items())
    history = _history(record.history, record.weights_of)
    parts = [
        _front_matter(record),
        f"# {record.recipe.name}",
        f"## Model description\n\n{_description(record)}",
        f"## Intended uses & limitations\n\n{_uses(record)}",
        f"## Training data\n\n{_data(record)}",
        f"## Training procedure\n\n{procedure}",
        f"### Hyperparameters\n\n{table(('name', 'value'), hyperparameters)}",
        f"### Evaluations during training\n\n{history}{_weight_averaging(record.blend)}",
        "## Eval results",
        *_results(record),
        f"## Licence\n\n{_licence(record)}",
    ]
    return "\n\n".join(parts) + "\n"


def split_card(text: str) -> tuple[str | None, str]:
    """Return the front matter of a card, None if it has none, and the Markdown after it."""
    text = text.replace("\r\n", "\n")
    front = _FRONT.match(text)
    if front is None:
        return None, text
    return front[1], text[front.end() :]


def licence_in(text: str) -> str:
    """Return the licence in the front matter of a card, "" if it names none.

    Of several licences, the first is returned. Names are in lower case, as on the hub.
    """
    front, _ = split_card(text)
    entry = _LICENCE_ENTRY.search(front or "")
    if entry is None:
        return ""
    for word in entry[1].split():
        if word != "-":
            return word.strip("'\"[],").lower()
    return ""


def with_licence(text: str, licence: str) -> str:
    """Return the card with this licence in its front matter."""
    front, markdown = split_card(text)
    entry = f"license: {licence}"
    if front is None:
        return f"---\n{entry}\n---\n\n{markdown}"
    if _LICENCE_ENTRY.search(front):
        return f"---\n{_LICENCE_ENTRY.sub(entry, front, count=1)}\n---\n{markdown}"
    return f"---\n{entry}\n{front}\n---\n{markdown}"


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
    usage = _TAG
    if record.recipe.task == "entities":
        usage = f"{_PIPELINE}\n\nBy whole words, and for texts of any length:\n\n{_TAG}"
    return (
        "For suggestions that a person corrects, in texts like those it was trained on. Not for"
        " clinical notes, not for decisions about people, and not for use without review: some"
        " predictions are wrong and some entities are missed (see the scores, if any). Entities"
        " that are rare in the training data are predicted least well. The model was not evaluated"
        f" on other languages, fields and kinds of text.\n\n{usage}"
    )


def _data(record: RunRecord) -> str:
    counts = ", ".join(f"{value:,} {name}" for name, value in record.counts.items())
    return (
        f"Texts: {counts}. All texts of a paper are in one split. A text that occurs twice was used"
        f" once, in a held-out split if possible. SHA-256 of the data: `{record.data_hash}`."
    )


def _made_with(record: RunRecord) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    machine = f", on {record.machine}" if record.machine else ""
    return f"Made with {versions}{machine}."


def _licence(record: RunRecord) -> str:
    base = f"The card of {record.base} names no licence"
    if record.base_licence:
        base = f"{record.base} is under {record.base_licence}"
    return (
        f"{base}. These weights derive from it and from the texts named above. To distribute them,"
        " you need the right to do so from both; state the licence in the first lines of this card."
    )


def _history(history: Sequence[Mapping[str, Any]], weights_of: Sequence[int]) -> str:
    if not history:
        return "The recipe asks for no evaluation during training."
    note = (
        "Precision, recall and F1 are the micro average of strict spans on"
        f" {history[-1]['documents']:,} held-out texts. Accuracy is that of their words. The"
        " training loss is the mean over the steps since the row above."
    )
    if len(weights_of) > 1:
        note += " The model has the mean of the weights marked as kept."
    head = ("epoch", "step", "training loss", "validation loss", "P", "R", "F1", "accuracy", "")
    rows = [_history_row(event, is_kept=event["step"] in weights_of) for event in history]
    return f"{note}\n\n{table(head, rows)}"


def _history_row(event: Mapping[str, Any], *, is_kept: bool) -> tuple[Any, ...]:
    losses = (event.get("loss"), event.get("eval_loss"))
    accuracy = event["words"].get("accuracy")
    return (
        f"{event['epoch']:.2f}",
        event["step"],
        *map(_four_digits, losses),
        *score_cells(event["micro"]),
        _four_digits(accuracy),
        "kept" if is_kept else "",
    )


def _four_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _eval_chose_weights(record: RunRecord) -> bool:
    """Return whether the eval split decided which weights the model has."""
    return bool(record.weights_of or (record.blend and record.blend.f1))


def _weight_averaging(blend: WeightAveraging | None) -> str:
    if blend is None:
        return ""
    measured = ", ".join(f"{share:.0%}: {f1:.4f}" for share, f1 in blend.f1.items())
    reason = f"; micro F1 on the eval split by that fraction: {measured}" if measured else ""
    return (
        f"\n\nThe weights are a mixture: {blend.share:.0%} of the base's and {1 - blend.share:.0%}"
        f" of the trained ones{reason}."
    )


def _results(record: RunRecord) -> list[str]:
    if not record.scores:
        return ["There was no held-out split, so the model was not evaluated."]
    results = []
    for split, scores in record.scores.items():
        is_chosen = split == "eval" and _eval_chose_weights(record)
        results.append(_scores(split + (_CHOSEN_BY if is_chosen else ""), scores))
    return results


def _scores(title: str, scores: Mapping[str, Any]) -> str:
    words = scores["words"]
    parts = [
        f"### On {title} ({scores['documents']:,} texts)",
        f"Strict character spans:\n\n{_score_table(scores)}",
        f"Words of sd-nlp, as seqeval counts them:\n\n{_score_table(words)}",
    ]
    if "by_word" in words:
        parts.append(
            "Each word by itself, correct if its B- or I- label is (accuracy over all words"
            f" {words['accuracy']:.4f}):\n\n{_score_table(words['by_word'])}"
        )
    return "\n\n".join(parts)


def _score_table(scores: Mapping[str, Any]) -> str:
    by_label = [
        (label, *score_cells(values), values["support"])
        for label, values in scores["by_label"].items()
    ]
    micro = ("micro average", *score_cells(scores["micro"]), scores["micro"]["support"])
    macro = ("macro average", *score_cells(scores["macro"]), scores["micro"]["support"])
    return table(("label", "P", "R", "F1", "support"), [*by_label, micro, macro])


def score_cells(values: Mapping[str, float]) -> tuple[str, str, str]:
    """Return precision, recall and F1 (0-1) as cells of a table."""
    return (f"{values['precision']:.4f}", f"{values['recall']:.4f}", f"{values['f1']:.4f}")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table in Markdown. Pipes and line breaks in a cell are replaced."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_in_cell(cell) for cell in line) + " |" for line in lines)


def _in_cell(value: object) -> str:
    return " ".join(str(value).replace("|", "/").split())
