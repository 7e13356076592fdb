"""The tokenizer of the tokenised form."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_engine.errors import FormatError
from ner_engine.formats import sd_nlp
from ner_engine.formats.sd_nlp.tokenizer import BYTE_OF


def test_a_missing_tokenizer_is_an_error_that_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="vocab"):
        sd_nlp.load_tokenizer(str(tmp_path))
    with pytest.raises(FormatError, match="hf download"):
        sd_nlp.load_tokenizer("no-such/tokenizer")


def test_a_vocabulary_without_special_tokens_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(FormatError, match="has no <s> and </s>"):
        sd_nlp.load_tokenizer(str(tmp_path))


def test_every_byte_has_a_printable_character() -> None:
    assert sorted(BYTE_OF.values()) == list(range(256))
    assert all(char.isprintable() and not char.isspace() for char in BYTE_OF)
    assert BYTE_OF["Ġ"] == 0x20
    assert BYTE_OF["A"] == 0x41
