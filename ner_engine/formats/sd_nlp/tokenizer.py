"""The tokenizer of the tokenised form: byte-level BPE of roberta-base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ner_engine.errors import FormatError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_TOKENS: Final = 512
SPECIAL_TOKENS: Final = frozenset({"<s>", "</s>", "<pad>"})


def load_tokenizer(name: str) -> Tokenizer:
    """Return a RoBERTa tokenizer that cuts texts at 512 tokens.

    ``name`` is a folder with ``vocab.json`` and ``merges.txt`` or ``tokenizer.json``, or a name in
    the local hub cache. Raise ``FormatError`` if there is no such tokenizer.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415 - only the tokenised form needs it

    folder = Path(name) if Path(name).is_dir() else _cached_folder(name)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        tokenizer = _from_vocabulary(folder, name)
    elif (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
    else:
        raise FormatError(
            "the folder has neither tokenizer.json nor vocab.json with merges.txt", where=name
        )
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _from_vocabulary(folder: Path, name: str) -> Tokenizer:
    from tokenizers.implementations import ByteLevelBPETokenizer  # noqa: PLC0415
    from tokenizers.processors import RobertaProcessing  # noqa: PLC0415

    bpe = ByteLevelBPETokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), add_prefix_space=False
    )
    first, last = bpe.token_to_id("<s>"), bpe.token_to_id("</s>")
    if first is None or last is None:
        raise FormatError(
            "its vocabulary has no <s> and </s>; give the folder of roberta-base's tokenizer",
            where=name,
        )
    bpe._tokenizer.post_processor = RobertaProcessing(
        ("</s>", last), ("<s>", first), trim_offsets=True, add_prefix_space=False
    )
    bpe.add_special_tokens(["<s>", "</s>", "<pad>", "<unk>", "<mask>"])
    tokenizer: Tokenizer = bpe._tokenizer
    return tokenizer


def _cached_folder(name: str) -> Path:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415

    for file in ("tokenizer.json", "vocab.json"):
        path = try_to_load_from_cache(name, file)
        if isinstance(path, str):
            return Path(path).parent
    raise FormatError(
        "there is no such folder, and the local cache has no tokenizer of this name; download it"
        f" with `hf download {name}`, or give a folder",
        where=name,
    )


def _byte_alphabet() -> dict[str, int]:
    """Return the byte for each character of byte-level BPE.

    GPT-2's tokenizer maps every byte to a printable character (Radford et al. 2019); this is the
    inverse.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    byte_of = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    return byte_of | {chr(256 + index): byte for index, byte in enumerate(others)}


BYTE_OF: Final = _byte_alphabet()
