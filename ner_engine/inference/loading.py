"""Models and tokenizers as transformers and tokenizers objects, from any checkpoint of the
catalogue. Never from a network, never from a pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer

from ner_engine.errors import UnsafeModelError
from ner_engine.inference.packing import read_weights
from ner_engine.registry.catalogue import Checkpoint

_TOKENIZER_FILES: Final = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


def load_classifier(
    checkpoint: Checkpoint,
    *,
    settings: Mapping[str, Any] | None = None,
    new_labels: Sequence[str] | None = None,
) -> Any:
    """The checkpoint's token classifier in float32, ``settings`` put over its config; with
    ``new_labels`` its head is new and random."""
    from transformers import (  # noqa: PLC0415
        AutoModelForTokenClassification,
    )

    config = _config(checkpoint, settings)
    if new_labels is not None:
        config.update(
            {
                "id2label": dict(enumerate(new_labels)),
                "label2id": {label: index for index, label in enumerate(new_labels)},
            }
        )
    model = AutoModelForTokenClassification.from_config(config)
    _fill(
        model,
        read_weights(checkpoint.folder, checkpoint.config),
        checkpoint.name,
        keep_head=new_labels is None,
    )
    return model


def load_masked_lm(
    checkpoint: Checkpoint, *, settings: Mapping[str, Any] | None = None
) -> tuple[Any, bool]:
    """The checkpoint as a masked language model in float32, ``settings`` put over its config, and
    whether its head is new.

    The head is the checkpoint's where it has one that fits; a new one is random but for its last
    layer, which is the embeddings. Labels that a tagger's config names are left out.
    """
    from transformers import AutoModelForMaskedLM  # noqa: PLC0415

    config = _config(checkpoint, settings)
    config.num_labels = 2
    if hasattr(config, "span_task"):
        del config.span_task
    model = AutoModelForMaskedLM.from_config(config)
    weights = read_weights(checkpoint.folder, checkpoint.config)
    _fill(model, weights, checkpoint.name, keep_head=False)
    own = model.state_dict()
    head = {
        key
        for key in own
        if not key.startswith(f"{model.base_model_prefix}.") and ".decoder." not in key
    }
    found = {
        target: tensor
        for key, tensor in weights.items()
        if (target := _current_name(key)) in head and tensor.shape == own[target].shape
    }
    has_head = found.keys() == head
    if has_head:
        model.load_state_dict(found, strict=False)
    return model, not has_head


def _config(checkpoint: Checkpoint, settings: Mapping[str, Any] | None) -> Any:
    from transformers import AutoConfig  # noqa: PLC0415

    config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True)
    config.update({"dtype": "float32", **(settings or {})})
    if checkpoint.config.get("packed_weights"):
        del config.packed_weights
    return config


def _current_name(key: str) -> str:
    """Old checkpoints call a norm's weight gamma and its bias beta."""
    return key.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _fill(model: Any, weights: Mapping[str, torch.Tensor], name: str, *, keep_head: bool) -> None:
    """Put ``weights`` into the model. A bare encoder's names lack the model's prefix."""
    prefix = f"{model.base_model_prefix}."
    is_bare = not any(key.startswith(prefix) for key in weights)
    own = model.state_dict()
    found: dict[str, torch.Tensor] = {}
    for key, tensor in weights.items():
        target = _current_name(key)
        target = prefix + target if is_bare and target not in own else target
        if target in own and (keep_head or target.startswith(prefix)):
            found[target] = tensor
    misfits = [key for key, tensor in found.items() if tensor.shape != own[key].shape]
    missing = [
        key
        for key in own.keys() - found.keys()
        if (keep_head or key.startswith(prefix))
        and not key.endswith(("position_ids", "token_type_ids"))
    ]
    if misfits or missing:
        raise UnsafeModelError(
            f"{name}: its weights and its config.json disagree about"
            f" {sorted([*misfits, *missing])[0]}; fetch or save the model again"
        )
    model.load_state_dict(found, strict=False)


def load_tokenizer(source: Checkpoint | Path) -> Tokenizer:
    """The fast tokenizer of a checkpoint, its own or the one it takes from another model, or of a
    folder.

    Made from an old vocabulary file where there is no tokenizer.json. Raises ``UnsafeModelError``
    for one that cannot be read, or whose ids the checkpoint's weights do not know.
    """
    folder = source if isinstance(source, Path) else source.tokenizer_folder
    tokenizer = _read_tokenizer(folder)
    if isinstance(source, Checkpoint):
        _check_vocabulary(source, tokenizer)
    return tokenizer


def _read_tokenizer(folder: Path) -> Tokenizer:
    try:
        if (folder / "tokenizer.json").is_file():
            return _with_prefix_space(Tokenizer.from_file(str(folder / "tokenizer.json")), folder)
        from transformers import AutoTokenizer  # noqa: PLC0415

        found = getattr(
            AutoTokenizer.from_pretrained(folder, local_files_only=True), "backend_tokenizer", None
        )
    except Exception as error:  # the parsers raise bare Exception
        raise UnsafeModelError(
            f"{folder.name}: its tokenizer cannot be read; fetch it again, or save the model with a"
            " tokenizer.json"
        ) from error
    if not isinstance(found, Tokenizer):
        raise UnsafeModelError(
            f"{folder.name} has no fast tokenizer; save it with a tokenizer.json"
        )
    return found


def _with_prefix_space(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    """The tokenizer with a space before the first word where its settings ask for one, as
    transformers reads them.

    What cuts the text and what corrects the offsets must agree about it, or the first character
    falls out of its token.
    """
    settings = folder / "tokenizer_config.json"
    wanted = (
        json.loads(settings.read_text(encoding="utf-8")).get("add_prefix_space")
        if settings.is_file()
        else None
    )
    cuts, corrects = tokenizer.pre_tokenizer, tokenizer.post_processor
    if hasattr(cuts, "add_prefix_space"):
        cuts.add_prefix_space = cuts.add_prefix_space if wanted is None else bool(wanted)
        if hasattr(corrects, "add_prefix_space"):
            corrects.add_prefix_space = cuts.add_prefix_space
    return tokenizer


def _check_vocabulary(checkpoint: Checkpoint, tokenizer: Tokenizer) -> None:
    """Another model's tokenizer must have exactly the model's vocabulary: one of another size would
    give each token another meaning."""
    n_known, n_rows = tokenizer.get_vocab_size(), int(checkpoint.config.get("vocab_size", 0))
    if n_known > n_rows or (checkpoint.tokenizer_from and n_known != n_rows):
        raise UnsafeModelError(
            f"{checkpoint.name}: its tokenizer has {n_known} tokens, its weights {n_rows}; put the"
            " tokenizer.json of its base model into its folder"
        )


def save_tokenizer(source: Checkpoint | Path, target: Path) -> None:
    """Copy the tokenizer of one model to the folder of another; it gets a tokenizer.json that
    neither cuts nor pads."""
    tokenizer = load_tokenizer(source)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(target / "tokenizer.json"))
    folder = source if isinstance(source, Path) else source.tokenizer_folder
    for name in _TOKENIZER_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
