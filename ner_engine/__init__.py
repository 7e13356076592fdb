"""Named-entity recognition for biomedical text: formats, scores, models, training.

``from ner_engine import load_tagger`` gives the tagger of a model by name or folder; the import
loads torch only when it is used, so that formats and scores stay quick to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ner_engine.inference.tagger import load_tagger

__version__ = "0.1.0"
__all__ = ["__version__", "load_tagger"]


def __getattr__(name: str) -> Any:
    """Import ``load_tagger`` on first use."""
    if name == "load_tagger":
        from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415

        return load_tagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
