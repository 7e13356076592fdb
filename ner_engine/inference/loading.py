"""Load models and tokenizers from any checkpoint of the catalogue.

Nothing is read from a network or from a pickle.
"""

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
    """Return the checkpoint's token classifier in float32, with ``settings`` over its config.

    With ``new_labels`` its head is new and random.
    """
    from transformers import AutoModelForTokenClassification  # noqa: PLC0415

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
    """Return the checkpoint as a masked language model in float32, and whether its head is new.

    ``settings`` go over its config. The head is the checkpoint's if it has one that fits. A new one
    is random, except for its last layer, which is the embeddings. Labels in a tagger's config are
    left out.
    """
    from transformers import AutoModelForMaskedLM  # noqa: PLC0415

    config = _config(checkpoint, settings)
    config.num_labels = 2
    if hasattr(config, "span_task"):
        del config.span_task
    model = AutoModelForMaskedLM.from_config(config)
    weights = read_weights(checkpoint.folder, checkpoint.config)
    _fill(model, weights, checkpoint.name, keep_head=False)
    head = _head_weights(model, weights)
    if head:
        model.load_state_dict(head, strict=False)
    return model, not head


def _head_weights(model: Any, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of the model's language-model head, or {} unless all of them fit."""
    encoder = f"{model.base_model_prefix}."
    needed = {}
    for key, tensor in model.state_dict().items():
        if not key.startswith(encoder) and ".decoder." not in key:
            needed[key] = tensor.shape
    fitting = {}
    for key, tensor in weights.items():
        name = _current_name(key)
        if needed.get(name) == tensor.shape:
            fitting[name] = tensor
    return fitting if fitting.keys() == needed.keys() else {}


def _config(checkpoint: Checkpoint, settings: Mapping[str, Any] | None) -> Any:
    from transformers import CONFIG_MAPPING, AutoConfig  # noqa: PLC0415

    if checkpoint.config.get("packed_weights"):
        # transformers does not know the model type in the file of a packed checkpoint.
        config = CONFIG_MAPPING[checkpoint.config["model_type"]].from_dict(dict(checkpoint.config))
        del config.packed_weights
    else:
        config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True)
    config.update({"dtype": "float32", **(settings or {})})
    return config


def _current_name(key: str) -> str:
    """Return the name without gamma and beta, the old names of a norm's weight and bias."""
    return key.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _fill(model: Any, weights: Mapping[str, torch.Tensor], name: str, *, keep_head: bool) -> None:
    """Copy ``weights`` into the model, without its head unless ``keep_head``.

    The names of a bare encoder lack the model's prefix. Raise ``UnsafeModelError`` if a weight is
    missing or has another shape.
    """
    prefix = f"{model.base_model_prefix}."
    is_bare = not any(key.startswith(prefix) for key in weights)
    own = model.state_dict()
    needed = set()
    for key in own:
        if keep_head or key.startswith(prefix):
            needed.add(key)
    given: dict[str, torch.Tensor] = {}
    for key, tensor in weights.items():
        target = _current_name(key)
        if is_bare and target not in own:
            target = prefix + target
        if target in needed:
            given[target] = tensor
    wrong = []
    for key, tensor in given.items():
        if tensor.shape != own[key].shape:
            wrong.append(key)
    wrong += [
        key for key in needed - given.keys() if not key.endswith(("position_ids", "token_type_ids"))
    ]
    if wrong:
        raise UnsafeModelError(
            f"{name}: its weights and its config.json disagree about {min(wrong)}; fetch or save"
            " the model again"
        )
    model.load_state_dict(given, strict=False)


def load_tokenizer(source: Checkpoint | Path) -> Tokenizer:
    """Return the fast tokenizer of a folder or a checkpoint, which may use another model's.

    Without a tokenizer.json it is made from an old vocabulary file. Raise ``UnsafeModelError`` if
    it cannot be read, or has ids that the checkpoint's weights lack.
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
    except Exception as error:  # parsers raise bare Exception
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
    """Return the tokenizer with the ``add_prefix_space`` of its settings, as in transformers.

    Pre-tokenizer and post-processor must agree about it, or the first character falls out of its
    token.
    """
    settings = folder / "tokenizer_config.json"
    wanted = None
    if settings.is_file():
        wanted = json.loads(settings.read_text(encoding="utf-8")).get("add_prefix_space")
    before, after = tokenizer.pre_tokenizer, tokenizer.post_processor
    if hasattr(before, "add_prefix_space"):
        if wanted is not None:
            before.add_prefix_space = bool(wanted)
        if hasattr(after, "add_prefix_space"):
            after.add_prefix_space = before.add_prefix_space
    return tokenizer


def _check_vocabulary(checkpoint: Checkpoint, tokenizer: Tokenizer) -> None:
    """Raise ``UnsafeModelError`` if the tokenizer has ids that the weights lack.

    Another model's tokenizer must have exactly as many: with another size, each token would have
    another meaning.
    """
    n_known, n_rows = tokenizer.get_vocab_size(), int(checkpoint.config.get("vocab_size", 0))
    if n_known > n_rows or (checkpoint.tokenizer_from and n_known != n_rows):
        raise UnsafeModelError(
            f"{checkpoint.name}: its tokenizer has {n_known} tokens, its weights {n_rows}; put the"
            " tokenizer.json of its base model into its folder"
        )


def save_tokenizer(source: Checkpoint | Path, target: Path) -> None:
    """Copy the tokenizer of one model to the folder of another.

    Its tokenizer.json neither truncates nor pads.
    """
    tokenizer = load_tokenizer(source)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(target / "tokenizer.json"))
    folder = source if isinstance(source, Path) else source.tokenizer_folder
    for name in _TOKENIZER_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
