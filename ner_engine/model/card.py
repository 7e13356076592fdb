"""The model card: what a model was made from and by what, and how well it does. Every figure comes from the run itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ner_engine.model.recipes import Recipe


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The facts of a finished run. ``history`` holds its evaluations in order, ``scores`` the final ones by side (see ``Evaluation.as_json``).

    ``weights_of`` are the steps whose weights, or the mean of them, the model has; empty where it has the last.
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
    versions: Mapping[str, str] = field(default_factory=dict)


def card(record: RunRecord) -> str:
    """The card as Markdown."""
    parts = [
        _front_matter(record),
        f"# {record.recipe.name}\n\n{record.recipe.about}\n\nEntity labels: {', '.join(record.labels)}. Base model: {record.base}.",
        f"## How it was made\n\n```\n{record.command}\n```\n\n{_counts(record)}",
        "## Hyperparameters\n\n" + table(("name", "value"), sorted(record.recipe.hyperparameters().items())),
        "## While it trained\n\n" + _history(record.history, record.weights_of),
        *(_scores(side, scores) for side, scores in record.scores.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(record: RunRecord) -> str:
    return "---\npipeline_tag: token-classification\nlibrary_name: transformers\ntags:\n- biomedical\n- named-entity-recognition\n---"


def _counts(record: RunRecord) -> str:
    counts = ", ".join(f"{value:,} {name}" for name, value in record.counts.items())
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return f"Examples: {counts}. SHA-256 of the data: `{record.data_hash}`. Made with {versions}."


def _history(history: Sequence[Mapping[str, Any]], weights_of: Sequence[int]) -> str:
    if not history:
        return "No evaluation was asked for on the way."
    rows = [
        (
            f"{event['epoch']:.2f}",
            event["step"],
            *(f"{event[loss]:.4f}" if event.get(loss) is not None else "" for loss in ("loss", "eval_loss")),
            *_figures(event["micro"]),
            f"{event['words']['accuracy']:.4f}" if "accuracy" in event["words"] else "",
            "kept" if event["step"] in weights_of else "",
        )
        for event in history
    ]
    note = (
        f"Precision, recall and F1 are the micro average of strict spans on {history[-1]['documents']:,} held-out texts, accuracy is that of their "
        "words; the training loss is the mean over the steps since the row above."
    )
    if len(weights_of) > 1:
        note += " The model has the mean of the weights kept."
    return f"{note}\n\n{table(('epoch', 'step', 'training loss', 'validation loss', 'P', 'R', 'F1', 'accuracy', ''), rows)}"


def _scores(side: str, scores: Mapping[str, Any]) -> str:
    parts = [
        f"## Scores on {side} ({scores['documents']:,} texts)\n\nStrict character spans:\n\n{_score_table(scores)}",
        f"Words of sd-nlp, as seqeval counts them:\n\n{_score_table(scores['words'])}",
    ]
    if "by_word" in scores["words"]:
        parts.append(
            f"Each word by itself, right where its B- or I- label is (accuracy over all words {scores['words']['accuracy']:.4f}):\n\n"
            f"{_score_table(scores['words']['by_word'])}"
        )
    return "\n\n".join(parts)


def _score_table(scores: Mapping[str, Any]) -> str:
    by_label = [(label, *_figures(values), values["support"]) for label, values in scores["by_label"].items()]
    micro = ("micro average", *_figures(scores["micro"]), scores["micro"]["support"])
    macro = ("macro average", *_figures(scores["macro"]), scores["micro"]["support"])
    return table(("label", "P", "R", "F1", "support"), [*by_label, micro, macro])


def _figures(values: Mapping[str, float]) -> tuple[str, str, str]:
    return (f"{values['precision']:.4f}", f"{values['recall']:.4f}", f"{values['f1']:.4f}")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
