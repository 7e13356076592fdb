from __future__ import annotations

import functools
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.torch import load_file, save_file

from ner_engine.align import decode, encode
from ner_engine.inference.backends import LeanBackend, PlainBackend, batches_by_length
from ner_engine.inference.decoding import AGGREGATIONS, Aggregation, LabelDecoder
from ner_engine.inference.loading import load_classifier, load_tokenizer
from ner_engine.inference.packing import pack, read_weights, unpack
from ner_engine.inference.tagger import Tagger, load_tagger
from ner_engine.inference.windows import TextEncoder
from ner_engine.registry.catalogue import find
from ner_engine.schema import Span
from ner_engine.text import words
from tests.ner_engine.checkpoints import LABELS, SENTENCES, edit_config, save_bert, save_roberta
from tests.ner_engine.strategies import texts, word_spans

#: What breaks offsets elsewhere: beyond the BMP, joined emoji, combining marks, odd spaces, line
#: ends, right to left, soft hyphens.
AWKWARD = (
    "😀 👩‍🔬 e\u0301 NB\u00a0SP thin\u2009space\r\nCRLF שלום β-catenin ﬁ so\u00adft x²⁺\u200b\tend"
)


@pytest.fixture(scope="module", params=["bert", "roberta"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    save = save_bert if request.param == "bert" else save_roberta
    return save(tmp_path_factory.mktemp("models") / request.param)


@pytest.fixture(scope="module")
def tagger(folder: Path) -> Tagger:
    return load_tagger(folder, device="cpu", precision="fp32")


def check(text: str, spans: list[Span]) -> None:
    """Every span lies in the text, holds its surface, has no white space at its ends, and none
    overlaps the next."""
    for span in spans:
        span.check(text)
        assert 0 <= span.score <= 1
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_spans_are_exact_pieces_of_any_text(tagger: Tagger, text: str) -> None:
    check(text, tagger.tag([text])[0])


def test_text_longer_than_a_window_is_tagged_to_its_end(tagger: Tagger) -> None:
    text = f"{AWKWARD} {' '.join(SENTENCES)} " * 30
    found = tagger.tag([text])[0]
    check(text, found)
    assert found[-1].end > len(text) - len(AWKWARD) - 200


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_entities_begin_and_end_where_words_do(tagger: Tagger, text: str) -> None:
    cut = words(text)
    starts, ends = {word.start for word in cut}, {word.end for word in cut}
    for span in tagger.tag([text])[0]:
        assert span.start in starts
        assert span.end in ends


def test_empty_and_blank_texts_have_no_entities(tagger: Tagger) -> None:
    assert tagger.tag(["", " ", "\u00a0\n\t "]) == [[], [], []]
    assert tagger.tag([]) == []


@settings(max_examples=15, deadline=None)
@given(others=st.lists(texts, max_size=6), seed=st.randoms(use_true_random=False))
def test_a_text_gets_the_same_tags_whatever_is_tagged_beside_it(
    tagger: Tagger, others: list[str], seed
) -> None:
    alone = tagger.tag([SENTENCES[2]])[0]
    batch = [SENTENCES[2], *others, *SENTENCES]
    seed.shuffle(batch)
    assert tagger.tag(batch)[batch.index(SENTENCES[2])] == alone


def test_a_stream_answers_each_text_in_order(tagger: Tagger) -> None:
    many = [f"{sentence} {number}" for number, sentence in enumerate(SENTENCES * 60)]
    assert list(tagger.tag_stream(iter(many))) == tagger.tag(many)


def test_scores_come_with_the_runner_up(tagger: Tagger) -> None:
    spans = [span for found in tagger.tag(SENTENCES) for span in found]
    assert spans
    for span in spans:
        assert span.attributes["runner_up"] in set(tagger.labels) - {span.label}
        assert 0 <= span.attributes["runner_up_score"] <= 1


# Markers typed into a text

MARKERS = ("<s>", "</s>", "[CLS]", "[SEP]")


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.one_of(st.sampled_from(MARKERS), st.sampled_from(SENTENCES), texts), max_size=6
    )
)
def test_no_entity_holds_a_marker(tagger: Tagger, parts: list[str]) -> None:
    text = "".join(parts)
    spans = tagger.tag([text])[0]
    check(text, spans)
    assert not [span for span in spans if any(marker in span.surface for marker in MARKERS)]


def test_a_marker_is_read_as_white_space(tagger: Tagger) -> None:
    marked, blank = tagger.tag([f"<s> {SENTENCES[1]} </s>", f"    {SENTENCES[1]}     "])
    assert marked
    assert [(span.start, span.end, span.label, span.score) for span in marked] == [
        (span.start, span.end, span.label, span.score) for span in blank
    ]


# Words of several tokens


def pooled(rows: np.ndarray, first: list[int], aggregation: Aggregation) -> np.ndarray:
    return LabelDecoder(LABELS).pooled(rows.astype(np.float32), np.array(first), aggregation)


#: A word of three tokens, B-GENEPROD and then surely inside CELL, and a word of one.
ROWS = np.array(
    [
        [0.1, 0.5, 0.1, 0.2, 0.1],
        [0.02, 0.01, 0.01, 0.01, 0.95],
        [0.3, 0.2, 0.2, 0.1, 0.2],
        [0.9, 0.1, 0.0, 0.0, 0.0],
    ]
)


def test_the_first_token_speaks_for_its_word() -> None:
    assert pooled(ROWS, [0, 3], "first") == pytest.approx(ROWS[[0, 3]])


def test_all_tokens_decide_the_type_and_the_first_the_start() -> None:
    mean = pooled(ROWS, [0, 3], "average")[0]
    assert mean[1] + mean[2] == pytest.approx((0.6 + 0.02 + 0.4) / 3, abs=1e-4)
    assert mean[3] + mean[4] == pytest.approx((0.3 + 0.96 + 0.3) / 3, abs=1e-4)
    assert mean[1] / mean[2] == pytest.approx(5, abs=1e-3)


def test_the_surest_token_may_speak_for_its_word() -> None:
    surest = pooled(ROWS, [0, 3], "max")
    assert surest[0][3] + surest[0][4] == pytest.approx(0.96, abs=1e-4)
    assert surest[0][3] == pytest.approx(2 * surest[0][4], abs=1e-3)
    assert surest[1] == pytest.approx(ROWS[3], abs=1e-4)


@given(
    rows=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.just(5)),
        elements=st.floats(0.015625, 1, width=32),
    ),
    cuts=st.sets(st.integers(1, 8)),
    aggregation=st.sampled_from(AGGREGATIONS),
)
def test_pooled_rows_are_probabilities_as_their_tokens_were(
    rows: np.ndarray, cuts: set[int], aggregation: Aggregation
) -> None:
    rows = rows / rows.sum(axis=1, keepdims=True)
    found = pooled(rows, [0, *sorted(cut for cut in cuts if cut < len(rows))], aggregation)
    assert found.min() >= 0
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(text=texts, aggregation=st.sampled_from(AGGREGATIONS))
def test_any_aggregation_gives_exact_pieces_that_are_whole_words(
    folder: Path, text: str, aggregation: Aggregation
) -> None:
    spans = tagger_by(folder, aggregation).tag([text], scores=True)[0]
    check(text, spans)
    cut = words(text)
    assert {span.start for span in spans} <= {word.start for word in cut}
    assert all(max(span.attributes["scores"].values()) <= 1 for span in spans)


@functools.lru_cache(maxsize=8)
def tagger_by(folder: Path, aggregation: Aggregation) -> Tagger:
    return load_tagger(folder, device="cpu", precision="fp32", aggregation=aggregation)


# Windows


@given(n=st.integers(0, 3000), size=st.integers(8, 300), overlap=st.integers(0, 80))
def test_windows_cover_everything_and_neighbours_overlap(
    folder: Path, n: int, size: int, overlap: int
) -> None:
    encoder = TextEncoder(load_tokenizer(folder), max_length=size, overlap=overlap)
    windows = encoder.windows(n)
    assert [window for window in windows if window[1] - window[0] > encoder.window] == []
    assert sorted({index for start, end in windows for index in range(start, end)}) == list(
        range(n)
    )
    assert all(
        after[0] > before[0] and before[1] - after[0] >= encoder.overlap
        for before, after in itertools.pairwise(windows)
    )


def blind(folder: Path, target: Path) -> Path:
    """A copy of the model that sees neither neighbours nor positions, which are as many as wanted:
    a token's label depends on the token alone."""
    shutil.copytree(folder, target)
    weights = load_file(target / "model.safetensors")
    for name, tensor in weights.items():
        if "attention.output.dense" in name:
            weights[name] = torch.zeros_like(tensor)
        if "position_embeddings" in name:
            weights[name] = torch.zeros(4000, tensor.shape[1])
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return edit_config(target, max_position_embeddings=4000, window_tokens=3900)


@pytest.mark.parametrize("size", [8, 13, 40])
def test_where_windows_are_cut_loses_doubles_and_cuts_nothing(
    folder: Path, tmp_path: Path, size: int
) -> None:
    model = blind(folder, tmp_path / "blind")
    text = " ".join(SENTENCES * 12)
    whole = load_tagger(model, device="cpu", precision="fp32").tag([text])[0]
    cut = load_tagger(edit_config(model, window_tokens=size), device="cpu", precision="fp32").tag(
        [text]
    )[0]
    assert len(whole) > 12
    assert [(span.start, span.end, span.label) for span in cut] == [
        (span.start, span.end, span.label) for span in whole
    ]


# Labels


def test_labels_are_read_from_the_config_in_any_order(tmp_path: Path) -> None:
    order = ("O", "I-CELL", "B-CELL", "I-GENEPROD", "B-GENEPROD")
    tagger = load_tagger(save_bert(tmp_path / "model", labels=order), device="cpu")
    assert tagger.labels == ["CELL", "GENEPROD"]
    assert {span.label for found in tagger.tag(SENTENCES) for span in found} <= {"CELL", "GENEPROD"}


def one_hot(ids: list[int], n: int = len(LABELS)) -> np.ndarray:
    return np.eye(n, dtype=np.float32)[ids] * 0.9 + 0.1 / n


def entities(labels: tuple[str, ...], scores: np.ndarray) -> list[tuple[int, int, str]]:
    scheme = LabelDecoder(labels)
    found = scheme.entities(scores, scheme.best_paths([scores])[0])
    return [(each.first, each.last, each.label) for each in found]


def test_touching_entities_of_one_type_stay_two() -> None:
    assert entities(LABELS, one_hot([1, 2, 1, 0])) == [(0, 1, "GENEPROD"), (2, 2, "GENEPROD")]


def test_a_scheme_without_b_reads_runs_of_i() -> None:
    assert entities(("O", "I-protein", "I-DNA"), one_hot([1, 1, 2, 0, 1], 3)) == [
        (0, 1, "protein"),
        (2, 2, "DNA"),
        (4, 4, "protein"),
    ]


def test_an_entity_does_not_start_with_i_if_b_is_likely() -> None:
    scores = one_hot([0, 2, 2])
    scores[1] = [0.01, 0.47, 0.5, 0.01, 0.01]
    assert entities(LABELS, scores) == [(1, 2, "GENEPROD")]


@settings(max_examples=100, deadline=None)
@given(
    scores=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.just(5)),
        elements=st.floats(0.015625, 1, width=32),
    )
)
def test_the_best_path_is_the_most_probable_possible_one(scores: np.ndarray) -> None:
    scheme = LabelDecoder(LABELS)
    possible = [
        np.array(path)
        for path in itertools.product(range(5), repeat=len(scores))
        if scheme._is_possible(np.array(path))
    ]
    best = max(np.log(scores[np.arange(len(scores)), path]).sum() for path in possible)
    chosen = scheme.best_paths([scores, scores[:1]])[0]
    assert scheme._is_possible(chosen)
    assert np.log(scores[np.arange(len(scores)), chosen]).sum() == pytest.approx(best, abs=1e-3)


@given(data=st.data(), text=texts)
def test_labels_of_words_hold_the_spans_they_were_made_of(data: st.DataObject, text: str) -> None:
    spans = data.draw(word_spans(text))
    cut = words(text)
    assert [tuple(found) for found in decode(cut, encode(cut, spans).labels)] == [
        (span.start, span.end, span.label) for span in spans
    ]


# Backends


@pytest.mark.parametrize(
    ("precision", "fused", "tolerance"),
    [("fp32", False, 1e-5), ("fp32", True, 1e-5), ("bf16", False, 0.08), ("bf16", True, 0.08)],
)
def test_the_lean_backend_computes_what_transformers_computes(
    folder: Path, precision: str, fused: bool, tolerance: float
) -> None:
    checkpoint = find(folder)
    encoder = TextEncoder(load_tokenizer(folder), max_length=checkpoint.max_length)
    windows = [
        encoder.input_ids(tokens, window)
        for tokens in encoder.tokens(SENTENCES)
        for window in encoder.windows(len(tokens))
    ]
    plain = PlainBackend(load_classifier(checkpoint)).run(windows)
    lean = LeanBackend(
        checkpoint.config, read_weights(folder, checkpoint.config), precision=precision, fused=fused
    ).run(windows)
    assert max(abs(one - other).max() for one, other in zip(plain, lean, strict=True)) < tolerance


@settings(max_examples=30, deadline=None)
@given(text=texts)
def test_the_backend_does_not_change_the_entities(folder: Path, text: str) -> None:
    lean, plain = tagger_by(folder, "first"), plain_tagger(folder)
    one, other = lean.tag([text])[0], plain.tag([text])[0]
    assert [(span.start, span.end, span.label) for span in one] == [
        (span.start, span.end, span.label) for span in other
    ]
    assert [span.score for span in one] == pytest.approx([span.score for span in other], abs=1e-3)


@functools.lru_cache(maxsize=8)
def plain_tagger(folder: Path) -> Tagger:
    checkpoint = find(folder)
    encoder = TextEncoder(load_tokenizer(checkpoint), max_length=checkpoint.max_length)
    return Tagger("plain", PlainBackend(load_classifier(checkpoint)), encoder, checkpoint.id2label)


def test_padded_batches_give_what_single_windows_give(folder: Path) -> None:
    checkpoint = find(folder)
    encoder = TextEncoder(load_tokenizer(folder), max_length=checkpoint.max_length)
    windows = [
        encoder.input_ids(tokens, window)
        for tokens in encoder.tokens(SENTENCES)
        for window in encoder.windows(len(tokens))
    ]
    backend = PlainBackend(load_classifier(checkpoint))
    single = backend.run(windows)
    backend._budget = 150
    assert (
        max(abs(one - other).max() for one, other in zip(single, backend.run(windows), strict=True))
        < 1e-5
    )


@given(lengths=st.lists(st.integers(1, 60), max_size=40), budget=st.integers(1, 300))
def test_batches_hold_each_window_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(batches_by_length(lengths, budget))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(
        len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget
        for batch in batches
    )


# Packed checkpoints


def test_a_packed_model_tags_as_its_parent_does(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "packed", SENTENCES)
    parent, packed = (
        load_tagger(folder, device="cpu", precision="fp32"),
        load_tagger(tmp_path / "packed", device="cpu", precision="fp32"),
    )
    size, packed_size = (
        sum(path.stat().st_size for path in place.glob("*.safetensors"))
        for place in (folder, tmp_path / "packed")
    )
    assert packed_size < 0.45 * size
    before, after = (
        np.concatenate(tagger.probabilities(tagger.encoder.tokens(SENTENCES)))
        for tagger in (parent, packed)
    )
    assert np.abs(before - after).mean() < 0.02
    assert (before.argmax(axis=1) == after.argmax(axis=1)).mean() > 0.9


@settings(max_examples=40, deadline=None)
@given(text=texts)
def test_a_cut_vocabulary_makes_nothing_unknown_that_was_known(
    packed_bert: tuple[Path, Path], text: str
) -> None:
    before, after = (load_tokenizer(place) for place in packed_bert)
    assert after.get_vocab_size() < before.get_vocab_size()
    assert after.encode(text).tokens.count("[UNK]") <= before.encode(text).tokens.count("[UNK]")


@pytest.fixture(scope="module")
def packed_bert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("packed")
    pack(save_bert(place / "whole"), place / "packed", SENTENCES[:1])
    return place / "whole", place / "packed"


def test_the_training_text_keeps_its_tokens_under_new_numbers(
    packed_bert: tuple[Path, Path],
) -> None:
    before, after = (load_tokenizer(place) for place in packed_bert)
    assert after.encode(SENTENCES[0]).tokens == before.encode(SENTENCES[0]).tokens
    assert after.encode("HeLa").tokens[0] == "[CLS]"


def test_an_unpacked_model_tags_the_same_in_transformers(
    packed_bert: tuple[Path, Path], tmp_path: Path
) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    unpack(packed_bert[1], tmp_path / "plain")
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "plain")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "plain")
    expected = (
        model(**tokenizer(SENTENCES[0], return_tensors="pt"))
        .logits.softmax(-1)[0, 1:-1]
        .detach()
        .numpy()
    )
    tagger = load_tagger(packed_bert[1], device="cpu", precision="fp32")
    found = tagger.probabilities(tagger.encoder.tokens([SENTENCES[0]]))[0]
    assert abs(found - expected).max() < 1e-5


def test_the_bundled_model_finds_what_a_biologist_would() -> None:
    text = (
        "HeLa cells were treated with rapamycin and p53 was analysed by Western blot in mouse"
        " liver."
    )
    found = {
        (span.surface, span.label) for span in load_tagger("bundled", device="cpu").tag([text])[0]
    }
    assert {
        ("HeLa", "CELL"),
        ("rapamycin", "SMALL_MOLECULE"),
        ("p53", "GENEPROD"),
        ("mouse", "ORGANISM"),
        ("liver", "TISSUE"),
    } <= found
