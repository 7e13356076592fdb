"""Small checkpoints made on the spot, saved as a hub snapshot looks: config.json, tokenizer.json,
model.safetensors."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BertConfig,
    BertForTokenClassification,
    MPNetConfig,
    MPNetForTokenClassification,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForTokenClassification,
)

SENTENCES = (
    "HeLa cells were treated with rapamycin for 24 h.",
    "Western blot of p53 in mouse liver.",
    "(A) Bax/Bak−/− MEFs were stained with an anti-LC3 antibody.",
    "Mitochondria of HEK293 cells and of zebrafish embryos, scale bar 10 µm.",
    "Levels of IκBα and β-catenin after TNFα, mean ± SEM, n = 3.",
)
LABELS = ("O", "B-GENEPROD", "I-GENEPROD", "B-CELL", "I-CELL")


def save_bert(
    folder: Path,
    *,
    labels: Sequence[str] | None = LABELS,
    texts: Sequence[str] = SENTENCES,
    size: int = 32,
    positions: int = 64,
    lowercase: bool = True,
    seed: int = 3,
) -> Path:
    """A random BERT of two layers; without ``labels`` its label list is the generic one."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = _word_pieces(texts, special, lowercase=lowercase)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=size,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * size,
        max_position_embeddings=positions,
        initializer_range=0.4,
        **_label_settings(labels),
    )
    torch.manual_seed(seed)
    return _save(
        folder,
        BertForTokenClassification(config),
        tokenizer,
        "[PAD] [UNK] [CLS] [SEP] [MASK]",
        labels,
    )


def save_mpnet(
    folder: Path,
    *,
    labels: Sequence[str] | None = LABELS,
    texts: Sequence[str] = SENTENCES,
    seed: int = 0,
) -> Path:
    """A random MPNet of two layers: positions relative to each other, word pieces with the special
    tokens of RoBERTa."""
    special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
    tokenizer = _word_pieces(texts, special, lowercase=True)
    config = MPNetConfig(
        vocab_size=tokenizer.get_vocab_size(),
        **_SMALL,
        max_position_embeddings=66,
        **_label_settings(labels),
    )
    torch.manual_seed(seed)
    return _save(
        folder,
        MPNetForTokenClassification(config),
        tokenizer,
        "<pad> [UNK] <s> </s> <mask>",
        labels,
    )


def _word_pieces(texts: Sequence[str], special: Sequence[str], *, lowercase: bool) -> Tokenizer:
    """A WordPiece tokenizer of the words in ``texts`` that frames each text with RoBERTa's markers,
    or with BERT's."""
    first, last = ("<s>", "</s>") if "<s>" in special else ("[CLS]", "[SEP]")
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    vocabulary = {piece: id for id, piece in enumerate([*special, *_pieces(texts, normalizer)])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(list(special))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    framing = [(first, special.index(first)), (last, special.index(last))]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=framing
    )
    return tokenizer


def _pieces(texts: Sequence[str], normalizer: normalizers.Normalizer) -> list[str]:
    """The characters of the texts and their words. The library's trainer finds other pieces in
    each process, and so a random model finds other entities."""
    pieces: set[str] = set()
    for text in texts:
        normal = normalizer.normalize_str(text)
        for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normal):
            pieces.update([word], word, [f"##{each}" for each in word])
    return sorted(pieces)


def save_roberta(
    folder: Path,
    *,
    labels: Sequence[str] | None = LABELS,
    texts: Sequence[str] = SENTENCES,
    seed: int = 0,
) -> Path:
    """A random RoBERTa of two layers with a byte-level vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=500,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=66,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        type_vocab_size=1,
        initializer_range=0.4,
        **_label_settings(labels),
    )
    torch.manual_seed(seed)
    return _save(
        folder,
        RobertaForTokenClassification(config),
        tokenizer,
        "<pad> <unk> <s> </s> <mask>",
        labels,
    )


#: The size of the networks below; a wide spread of weights makes a random model find entities.
_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.4,
}


def save_with_vocabulary(
    folder: Path,
    vocabulary: Path,
    *,
    labels: Sequence[str],
    settings: dict[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """A random network of two layers over a published vocabulary, saved with the vocabulary's own
    files and no tokenizer.json.

    ``vocabulary`` is a folder with vocab.txt (BERT) or vocab.json and merges.txt (RoBERTa);
    ``settings`` stand in for its tokenizer_config.json. Without ``labels`` the network is RoBERTa's
    masked language model.
    """
    folder.mkdir(parents=True)
    for name in ("vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json"):
        if (vocabulary / name).is_file():
            shutil.copyfile(vocabulary / name, folder / name)
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    torch.manual_seed(seed)
    if (vocabulary / "vocab.txt").is_file():
        size = len((vocabulary / "vocab.txt").read_text(encoding="utf-8").splitlines())
        network: Any = BertForTokenClassification(
            BertConfig(vocab_size=size, **_SMALL, **_label_settings(labels))
        )
    else:
        size = len(json.loads((vocabulary / "vocab.json").read_text(encoding="utf-8")))
        config = RobertaConfig(
            vocab_size=size,
            max_position_embeddings=514,
            pad_token_id=1,
            type_vocab_size=1,
            layer_norm_eps=1e-5,
            **_SMALL,
            **_label_settings(labels or None),
        )
        network = RobertaForTokenClassification(config) if labels else RobertaForMaskedLM(config)
    network.save_pretrained(folder)
    return folder


def as_snapshot(source: Path, cache: Path, name: str, *, revision: str = "main") -> Path:
    """Put the files of ``source`` into a hub cache, as the hub's own client does: blobs by hash, a
    snapshot of links, a reference."""
    repository = cache / f"models--{name.replace('/', '--')}"
    commit = hashlib.sha1(f"{name}@{revision}".encode()).hexdigest()
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir(exist_ok=True)
    reference = repository / "refs" / revision
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(commit, encoding="utf-8")
    for path in source.iterdir():
        blob = repository / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copyfile(path, blob)
        (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")
    return snapshot


def edit_config(folder: Path, **changes: object) -> Path:
    """Put ``changes`` over the folder's config.json; None takes a key away."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(
        json.dumps({key: value for key, value in config.items() if value is not None}),
        encoding="utf-8",
    )
    return folder


def _label_settings(labels: Sequence[str] | None) -> dict[str, object]:
    if labels is None:
        return {"num_labels": 5}
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def _save(
    folder: Path,
    model: torch.nn.Module,
    tokenizer: Tokenizer,
    special: str,
    labels: Sequence[str] | None,
) -> Path:
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = dict(
        zip(
            ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"),
            special.split(),
            strict=True,
        )
    )
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return edit_config(folder, id2label=None, label2id=None) if labels is None else folder
