"""The known systems as their publishers saved them: tokenizers, labels and probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
    pipeline,
)

from ner_engine.errors import UnsafeModelError
from ner_engine.inference.decoding import AGGREGATIONS, Aggregation
from ner_engine.inference.loading import (
    load_classifier,
    load_masked_lm,
    load_tokenizer,
)
from ner_engine.inference.tagger import load_tagger
from ner_engine.registry.catalogue import find, find_base
from tests.ner_engine.checkpoints import (
    SENTENCES,
    as_snapshot,
    save_bert,
    save_mpnet,
    save_roberta,
    save_with_vocabulary,
)
from tests.ner_engine.registry.systems import BIO_LM, CRAFT, CRAFT_ES, JNLPBA, SD_NER, labels_of

#: The texts of the models' own cards, and one in Spanish with composed and decomposed accents.
CARD_TEXTS = {
    SD_NER: (
        "<s> F. Western blot of input and eluates of Upf1 domains purification in a Nmd4-HA strain."
        " The band with the # might corresponds to a dimer of Upf1-CH, bands marked with a star"
        " correspond to residual signal with the anti-HA antibodies (Nmd4). Fragments in the eluate"
        " have a smaller size because the protein A part of the tag was removed by digestion with"
        " the TEV protease. G6PDH served as a loading control in the input samples </s>"
    ),
    JNLPBA: (
        "Mouse thymus was used as a source of glucocorticoid receptor from normal CS lymphocytes."
    ),
    CRAFT_ES: (
        "La proteína p53 de ratón regula la apoptosis en células epiteliales; la adición de glucosa"
        " (5 mM) aumentó su expresio\u0301n."
    ),
    CRAFT: (
        "Brca2 mutant mice developed tumours, while levels of glucose and of the insulin receptor"
        " were unchanged."
    ),
}


def as_transformers_computes(folder: Path, text: str, **settings: Any) -> np.ndarray:
    """Label probabilities of the tokens of ``text``, with the network and the tokenizer that
    transformers finds in the folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **settings)
    network = AutoModelForTokenClassification.from_pretrained(
        folder, local_files_only=True, dtype="float32"
    )
    logits = network.eval()(**tokenizer(text, return_tensors="pt")).logits
    return logits.softmax(-1)[0, 1:-1].detach().numpy()


def as_we_compute(name: str | Path, text: str) -> np.ndarray:
    tagger = load_tagger(name, device="cpu", precision="fp32")
    return tagger.probabilities(tagger.encoder.tokens([text]))[0]


def assert_tags_well(name: str, text: str) -> None:
    """Entities are pieces of the text, with labels of the scheme, and none of them holds a marker;
    the text has some."""
    found = load_tagger(name, device="cpu").tag([text])[0]
    assert found
    for span in found:
        span.check(text)
        assert span.label in {label[2:] for label in labels_of(name)} - {""}
        assert not any(marker in span.surface for marker in ("<s>", "</s>", "<", ">"))


# The five systems, with their label lists and vocabularies


def test_sd_ner_uses_the_tokenizer_of_roberta_base(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    saved = save_with_vocabulary(
        tmp_path / "model", vocabularies / "roberta-base", labels=labels_of(SD_NER)
    )
    whole = as_snapshot(saved, tmp_path / "elsewhere", "x/with-tokenizer")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (saved / name).unlink()
    as_snapshot(saved, cache, SD_NER)
    as_snapshot(vocabularies / "roberta-base", cache, "roberta-base")
    checkpoint = find(SD_NER)
    assert checkpoint.id2label[:3] == ("O", "I-SMALL_MOLECULE", "B-SMALL_MOLECULE")
    assert checkpoint.max_length == 512
    assert load_tokenizer(checkpoint).get_vocab_size() == 50265
    text = CARD_TEXTS[SD_NER].removeprefix("<s> ").removesuffix(" </s>")
    assert abs(as_we_compute(SD_NER, text) - as_transformers_computes(whole, text)).max() < 1e-5
    assert_tags_well(SD_NER, CARD_TEXTS[SD_NER])


def test_markers_around_a_text_only_shift_the_entities(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    as_snapshot(
        save_with_vocabulary(
            tmp_path / "model", vocabularies / "roberta-base", labels=labels_of(SD_NER)
        ),
        cache,
        SD_NER,
    )
    bare = f" {SENTENCES[1]} "
    tagger = load_tagger(SD_NER, device="cpu", precision="fp32")
    alone, marked = tagger.tag([bare, f"<s>{bare}</s>"])
    assert alone
    assert [(span.start + 3, span.end + 3, span.label) for span in alone] == [
        (span.start, span.end, span.label) for span in marked
    ]


def test_scibert_reads_lower_case_as_the_example_on_its_card(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    saved = save_with_vocabulary(
        tmp_path / "model",
        vocabularies / "scibert-scivocab-uncased",
        labels=labels_of(JNLPBA),
        settings={},
    )
    folder = as_snapshot(saved, cache, JNLPBA)
    text = CARD_TEXTS[JNLPBA]
    assert abs(as_we_compute(JNLPBA, text) - as_transformers_computes(folder, text)).max() < 1e-5
    assert "cs" in load_tokenizer(find(JNLPBA)).encode(text).tokens
    assert_tags_well(JNLPBA, text)


def test_biobert_keeps_case_and_has_o_as_its_last_label(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    folder = as_snapshot(
        save_with_vocabulary(
            tmp_path / "model", vocabularies / "bert-base-cased", labels=labels_of(CRAFT)
        ),
        cache,
        CRAFT,
    )
    text = CARD_TEXTS[CRAFT]
    assert find(CRAFT).id2label[-1] == "O"
    assert abs(as_we_compute(CRAFT, text) - as_transformers_computes(folder, text)).max() < 1e-5
    assert "B" in load_tokenizer(find(CRAFT)).encode(text).tokens[1]
    assert_tags_well(CRAFT, text)


def test_spanish_text_is_read_with_a_space_before_its_first_word(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    settings = {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True}
    saved = save_with_vocabulary(
        tmp_path / "model",
        vocabularies / "roberta-base",
        labels=labels_of(CRAFT_ES),
        settings=settings,
    )
    folder = as_snapshot(saved, cache, CRAFT_ES)
    text = CARD_TEXTS[CRAFT_ES]
    assert abs(as_we_compute(CRAFT_ES, text) - as_transformers_computes(folder, text)).max() < 1e-5
    assert_tags_well(CRAFT_ES, text)
    # The same from a tokenizer.json that was saved before anybody asked for the space.
    AutoTokenizer.from_pretrained(saved, add_prefix_space=False).backend_tokenizer.save(
        str(saved / "tokenizer.json")
    )
    tokenizer = load_tokenizer(saved)
    assert tokenizer.encode("(p53)", add_special_tokens=False).offsets == [
        (0, 1),
        (1, 2),
        (2, 4),
        (4, 5),
    ]
    assert tokenizer.encode(text).ids == load_tokenizer(find(CRAFT_ES)).encode(text).ids


def test_bio_lm_is_a_base_to_train_from_and_no_tagger(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    as_snapshot(
        save_with_vocabulary(tmp_path / "model", vocabularies / "roberta-base", labels=()),
        cache,
        BIO_LM,
    )
    base = find_base(BIO_LM)
    network = load_classifier(base, new_labels=labels_of(SD_NER))
    assert network.config.num_labels == 15
    assert load_tokenizer(base).get_vocab_size() == network.config.vocab_size
    with pytest.raises(UnsafeModelError, match="no label list"):
        find(BIO_LM)


def test_bio_lm_fills_a_mask_as_transformers_does(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    folder = as_snapshot(
        save_with_vocabulary(tmp_path / "model", vocabularies / "roberta-base", labels=()),
        cache,
        BIO_LM,
    )
    ids = torch.tensor(
        [load_tokenizer(find_base(BIO_LM)).encode("Let us try this model to see if it <mask>.").ids]
    )
    network, has_new_head = load_masked_lm(find_base(BIO_LM))
    expected = (
        AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True, dtype="float32")
        .eval()(ids)
        .logits
    )
    assert not has_new_head
    assert (ids == find_base(BIO_LM).config["vocab_size"] - 1).sum() == 1
    assert torch.allclose(network.eval()(ids).logits, expected, atol=1e-5)


# Each architecture


@pytest.fixture(scope="module", params=["roberta", "bert cased", "bert uncased", "mpnet"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("architectures") / "model"
    if request.param == "roberta":
        return save_roberta(folder, labels=labels_of(SD_NER))
    if request.param == "mpnet":
        return save_mpnet(folder, labels=labels_of("EMBO/sd-ner-v2"))
    return save_bert(
        folder,
        labels=labels_of(CRAFT if "un" in request.param else JNLPBA),
        lowercase="un" in request.param,
    )


def test_each_architecture_equals_transformers(cache: Path, saved: Path) -> None:
    folder = as_snapshot(saved, cache, "org/model")
    for text in SENTENCES:
        assert (
            abs(as_we_compute("org/model", text) - as_transformers_computes(folder, text)).max()
            < 1e-5
        )


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("save", [save_bert, save_roberta])
def test_entities_equal_those_of_the_pipeline(
    tmp_path: Path, save: Any, aggregation: Aggregation
) -> None:
    """Words without punctuation, and labels without B-: there the pipeline has no say of its own in
    where words and entities begin."""
    folder = save(tmp_path / "model", labels=("O", "I-GENEPROD", "I-CELL", "I-TISSUE"))
    text = "HeLa cells were treated with rapamycin of mouse liver and of zebrafish embryos"
    network = AutoModelForTokenClassification.from_pretrained(
        folder, local_files_only=True, dtype="float32"
    )
    run = pipeline(
        "token-classification",
        model=network,
        tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True),
    )
    expected = [
        (found["start"], found["end"], found["entity_group"], float(found["score"]))
        for found in run(text, aggregation_strategy=aggregation)
    ]
    found = load_tagger(folder, device="cpu", precision="fp32", aggregation=aggregation).tag(
        [text], scores=True
    )[0]
    assert expected
    assert [(span.start, span.end, span.label) for span in found] == [
        entity[:3] for entity in expected
    ]
    assert [span.score for span in found] == pytest.approx(
        [entity[3] for entity in expected], abs=2e-4
    )
    for span in found:
        assert set(span.attributes["scores"]) == {"GENEPROD", "CELL", "TISSUE"}
        assert span.attributes["scores"][span.label] == span.score
        assert (
            span.attributes["scores"][span.attributes["runner_up"]]
            == span.attributes["runner_up_score"]
        )
