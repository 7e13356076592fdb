"""Small checkpoints made on the spot, saved as a hub snapshot looks: config.json, tokenizer.json, model.safetensors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForTokenClassification, RobertaConfig, RobertaForTokenClassification

SENTENCES = (
    "HeLa cells were treated with rapamycin for 24 h.",
    "Western blot of p53 in mouse liver.",
    "(A) Bax/Bak−/− MEFs were stained with an anti-LC3 antibody.",
    "Mitochondria of HEK293 cells and of zebrafish embryos, scale bar 10 µm.",
    "Levels of IκBα and β-catenin after TNFα, mean ± SEM, n = 3.",
)
LABELS = ("O", "B-GENEPROD", "I-GENEPROD", "B-CELL", "I-CELL")


def save_bert(
    folder: Path, *, labels: Sequence[str] | None = LABELS, texts: Sequence[str] = SENTENCES, size: int = 32, positions: int = 64, seed: int = 0
) -> Path:
    """A random uncased BERT of two layers; without ``labels`` its label list is the generic one."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
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
    return _save(folder, BertForTokenClassification(config), tokenizer, "[PAD] [UNK] [CLS] [SEP] [MASK]", labels)


def save_roberta(folder: Path, *, labels: Sequence[str] | None = LABELS, texts: Sequence[str] = SENTENCES, seed: int = 0) -> Path:
    """A random RoBERTa of two layers with a byte-level vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
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
    return _save(folder, RobertaForTokenClassification(config), tokenizer, "<pad> <unk> <s> </s> <mask>", labels)


def edit_config(folder: Path, **changes: object) -> Path:
    """Put ``changes`` over the folder's config.json; None takes a key away."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}), encoding="utf-8")
    return folder


def _label_settings(labels: Sequence[str] | None) -> dict[str, object]:
    if labels is None:
        return {"num_labels": 5}
    return {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}


def _save(folder: Path, model: torch.nn.Module, tokenizer: Tokenizer, special: str, labels: Sequence[str] | None) -> Path:
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special.split(), strict=True))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return edit_config(folder, id2label=None, label2id=None) if labels is None else folder
