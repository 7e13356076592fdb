"""Pack checkpoints: only the tokens that a training text uses, and int8 rows with a scale each.

A packed folder has the same files as any other (config.json, tokenizer.json, model.safetensors);
``packed_weights`` in its config says how its matrices are stored. They are expanded to float32 when
read, so here a packed checkpoint works like any other: for tagging, training, and packing again.
Its model type begins with ``PACKED_TYPE``, so that other programs refuse it; ``unpack`` writes a
folder for them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer

from ner_engine.chunks import chunks
from ner_engine.errors import UnsafeModelError
from ner_engine.files import atomic_folder
from ner_engine.registry import affixes
from ner_engine.registry.checkpoint_files import PACKED_TYPE, read_config
from ner_engine.registry.confidence import carry_over

FORMAT: Final = "int8-rows-1"
_SCALE: Final = ".row_scale"
_WORDS: Final = "embeddings.word_embeddings.weight"
_TOKENIZED_AT_ONCE: Final = 1000
_COPIED_FILES: Final = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "README.md",
    "LICENSE",
    affixes.FILE,
)


def read_weights(folder: Path, config: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint by name.

    Packed matrices are float32 ``(rows, columns)``, others as stored. Raise ``UnsafeModelError``
    for a packing that this version does not know.
    """
    packing = config.get("packed_weights")
    if packing not in (None, FORMAT):
        raise UnsafeModelError(
            f"its weights are packed as {packing}, which this version cannot read; update the"
            " program"
        )
    weights: dict[str, torch.Tensor] = {}
    for path in _weight_files(folder):
        with safe_open(path, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118 - not a mapping
                weights[name] = stored.get_tensor(name)
    if packing:
        return _expanded(weights)
    return weights


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / Path(name).name for name in sorted(names)]
    return [folder / "model.safetensors"]


def _expanded(stored: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    expanded = {}
    for name, tensor in stored.items():
        if name.endswith(_SCALE):
            continue
        expanded[name] = tensor.float()
        if name + _SCALE in stored:
            expanded[name] = expanded[name] * stored[name + _SCALE].float()[:, None]
    return expanded


def pack(folder: Path, out: Path, texts: Iterable[str] | None) -> None:
    """Write a packed copy of the checkpoint ``folder`` to ``out``, which must not exist yet.

    With ``texts``, a WordPiece vocabulary is cut to the tokens that they use, special tokens, and
    all pieces of one character, so that no known text becomes unknown. Other vocabularies are not
    cut. ``out`` appears in one rename.
    """
    config = read_config(folder.name, folder)
    weights = read_weights(folder, config)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if tokenizer["model"]["type"] == "WordPiece" and texts is not None:
        kept = _needed(Tokenizer.from_file(str(folder / "tokenizer.json")), tokenizer, texts)
        tokenizer = _cut_tokenizer(tokenizer, kept)
        for name in weights:
            if name.endswith(_WORDS):
                weights[name] = weights[name][kept]
        config |= {
            "vocab_size": len(kept),
            "pad_token_id": kept.index(int(config.get("pad_token_id") or 0)),
        }
    packed = {"packed_weights": FORMAT, "model_type": PACKED_TYPE + str(config["model_type"])}
    with atomic_folder(out) as part:
        save_file(_quantized(weights), part / "model.safetensors", metadata={"format": "pt"})
        _write_json(part / "config.json", config | packed | {"dtype": "float32"})
        _write_json(part / "tokenizer.json", tokenizer)
        for name in _COPIED_FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, part / name)
        carry_over(folder, part)


def unpack(folder: Path, out: Path) -> None:
    """Write the checkpoint ``folder`` to ``out`` in float32, which any program can read."""
    config = read_config(folder.name, folder)
    weights = read_weights(folder, config)
    config.pop("packed_weights", None)
    out.mkdir(parents=True)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    _write_json(out / "config.json", config)
    for name in ("tokenizer.json", *_COPIED_FILES):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
    carry_over(folder, out)


def _quantized(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return matrices as int8 with a float16 scale per row, other (small) tensors as they are."""
    quantized: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        if tensor.ndim != 2 or not tensor.is_floating_point():
            quantized[name] = tensor.contiguous()
            continue
        scale = (tensor.float().abs().amax(dim=1) / 127).clamp_min(1e-7).half()
        rows = (tensor.float() / scale.float()[:, None]).round().clamp(-127, 127)
        quantized[name] = rows.to(torch.int8)
        quantized[name + _SCALE] = scale
    return quantized


def _needed(tokenizer: Tokenizer, stored: Mapping[str, Any], texts: Iterable[str]) -> list[int]:
    """Return the ids to keep, in ascending order."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    kept = {int(token["id"]) for token in stored["added_tokens"]}
    prefix = stored["model"]["continuing_subword_prefix"]
    for piece, index in stored["model"]["vocab"].items():
        if len(piece.removeprefix(prefix)) == 1:
            kept.add(index)
    for batch in chunks(texts, _TOKENIZED_AT_ONCE):
        for encoding in tokenizer.encode_batch(batch):
            kept.update(encoding.ids)
    return sorted(kept)


def _cut_tokenizer(stored: dict[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """Return the tokenizer with only the tokens ``kept``, renumbered from 0 in their order."""
    new = {old: index for index, old in enumerate(kept)}
    vocabulary = {}
    for piece, index in sorted(stored["model"]["vocab"].items(), key=lambda item: item[1]):
        if index in new:
            vocabulary[piece] = new[index]
    cut = stored | {
        "truncation": None,
        "padding": None,
        "model": stored["model"] | {"vocab": vocabulary},
    }
    cut["added_tokens"] = []
    for token in stored["added_tokens"]:
        cut["added_tokens"].append(token | {"id": new[token["id"]]})
    framing = stored.get("post_processor") or {}
    if framing.get("type") == "TemplateProcessing":
        special = {}
        for name, token in framing["special_tokens"].items():
            special[name] = token | {"ids": [new[index] for index in token["ids"]]}
        cut["post_processor"] = framing | {"special_tokens": special}
    elif framing.get("type") == "BertProcessing":
        cut["post_processor"] = dict(framing)
        for name in ("sep", "cls"):
            piece, index = framing[name]
            cut["post_processor"][name] = [piece, new[index]]
    return cut


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
