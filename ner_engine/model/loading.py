"""Models and tokenizers as transformers and tokenizers objects, from any checkpoint of the catalogue. Never from a network, never from a pickle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer

from ner_engine.errors import UnsafeModelError
from ner_engine.model.catalog import Checkpoint
from ner_engine.model.packing import read_weights

_TOKENIZER_FILES: Final = ("tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt")


def load_classifier(checkpoint: Checkpoint, *, settings: Mapping[str, Any] | None = None, new_labels: Sequence[str] | None = None) -> Any:
    """The checkpoint's token classifier in float32, ``settings`` put over its config; with ``new_labels`` its head is new and random."""
    from transformers import AutoConfig, AutoModelForTokenClassification  # noqa: PLC0415 - importing transformers takes seconds

    config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True)
    changes = {"attn_implementation": "eager", "dtype": "float32", **(settings or {})}
    if new_labels is not None:
        changes |= {"id2label": dict(enumerate(new_labels)), "label2id": {label: index for index, label in enumerate(new_labels)}}
    config.update(changes)
    if checkpoint.config.get("packed_weights"):
        del config.packed_weights
    model = AutoModelForTokenClassification.from_config(config)
    _fill(model, read_weights(checkpoint.folder, checkpoint.config), checkpoint.name, keep_head=new_labels is None)
    return model


def _fill(model: Any, weights: Mapping[str, torch.Tensor], name: str, *, keep_head: bool) -> None:
    """Put ``weights`` into the model. A bare encoder's names lack the model's prefix; old ones call a norm's weight gamma and its bias beta."""
    prefix = f"{model.base_model_prefix}."
    is_bare = not any(key.startswith(prefix) for key in weights)
    own = model.state_dict()
    found: dict[str, torch.Tensor] = {}
    for key, tensor in weights.items():
        target = key.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        target = prefix + target if is_bare and target not in own else target
        if target in own and (keep_head or target.startswith(prefix)):
            found[target] = tensor
    misfits = [key for key, tensor in found.items() if tensor.shape != own[key].shape]
    missing = [
        key for key in own.keys() - found.keys() if (keep_head or key.startswith(prefix)) and not key.endswith(("position_ids", "token_type_ids"))
    ]
    if misfits or missing:
        raise UnsafeModelError(
            f"{name}: its weights and its config.json disagree about {sorted([*misfits, *missing])[0]}; fetch or save the model again"
        )
    model.load_state_dict(found, strict=False)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The fast tokenizer of a model folder; from an old vocabulary file where there is no tokenizer.json."""
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    from transformers import AutoTokenizer  # noqa: PLC0415

    found = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer = getattr(found, "backend_tokenizer", None)
    if not isinstance(tokenizer, Tokenizer):
        raise UnsafeModelError(f"{folder.name} has no fast tokenizer; save it with a tokenizer.json")
    return tokenizer


def save_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer of one model folder to another; it gets a tokenizer.json that neither cuts nor pads."""
    tokenizer = load_tokenizer(source)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(target / "tokenizer.json"))
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
