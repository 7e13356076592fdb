"""``models``: list the known models, or the mappings between label schemes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ner_engine.cli.arguments import add_model_dir
from ner_engine.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from ner_engine.registry.catalogue import Listed

HELP: Final = "List the known models, and which of them are available here."
EPILOG: Final = """\
A name is searched for in the folder of models (--model-dir or SD_MODEL_DIR), then in the
Hugging Face cache (HF_HUB_CACHE). `tag` and `evaluate` download a missing model, unless
HF_HUB_OFFLINE=1; HF_ENDPOINT is a mirror to download from. NAME@REVISION selects a revision,
such as the one with safetensors that the hub's converter proposed for a model with pickled
weights, which are never read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the listing, as JSON and as text."""

    facts: dict[str, Any]
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``models``."""
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.add_argument(
        "--schemes",
        action="store_true",
        help="list the mapping of each label scheme to each other instead",
    )
    add_model_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Print the listing, and return the exit code."""
    rows = list(_mapping_rows() if args.schemes else _model_rows())
    if args.json:
        print(json.dumps([row.facts for row in rows], indent=1, ensure_ascii=False))
    else:
        print("\n".join(row.text for row in rows))
    return ExitCode.SUCCESS


def _model_rows() -> Iterator[Row]:
    from ner_engine.registry.catalogue import listing  # noqa: PLC0415

    for listed in listing():
        yield Row(listed.as_json(), _model_text(listed))


def _model_text(listed: Listed) -> str:
    model = listed.model
    facts = {
        "does": model.task.replace("_", " "),
        "labels": model.scheme or "none",
        "tokenizer": model.tokenizer,
        "language": ", ".join(model.languages),
        "licence": model.licence,
        "recipe": model.recipe,
        "cite": model.citation,
    }
    if not listed.is_here:
        facts["problem"] = listed.problem
    lines = [f"{model.name}: {'here' if listed.is_here else 'missing'}", f"    {model.about}"]
    lines += [f"    {name + ':':<11}{value}" for name, value in facts.items()]
    return "\n".join(lines)


def _mapping_rows() -> Iterator[Row]:
    from ner_engine.registry.label_schemes import SCHEMES, translations  # noqa: PLC0415

    for source in SCHEMES.values():
        for target in SCHEMES.values():
            if source == target:
                continue
            for entry in translations(source, target):
                facts = {
                    "from": source.name,
                    "label": entry.source,
                    "to": target.name,
                    "becomes": entry.target,
                    "exact": entry.exact,
                    "why": entry.why,
                }
                loss = "exact" if entry.exact else f"lossy: {entry.why}"
                becomes = entry.target or "(left out)"
                yield Row(facts, f"{source.name} {entry.source} -> {target.name} {becomes}; {loss}")
