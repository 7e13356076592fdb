"""Every known system by its name, from wherever it lies, as its publisher saved it; and what is
said where it is not here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
    pipeline,
)

from ner_engine.cli import main
from ner_engine.errors import ModelNotFoundError, UnsafeModelError
from ner_engine.inference.loading import (
    load_classifier,
    load_masked_lm,
    load_tokenizer,
    save_tokenizer,
)
from ner_engine.inference.tagger import AGGREGATIONS, Aggregation, load_tagger
from ner_engine.registry.catalogue import MODEL_DIR, find, find_base, listing
from ner_engine.registry.known_models import KNOWN_MODELS, known_model
from ner_engine.registry.label_schemes import SCHEMES
from ner_engine.registry.recipes import RECIPES
from tests.ner_engine.checkpoints import (
    SENTENCES,
    as_snapshot,
    edit_config,
    save_bert,
    save_mpnet,
    save_roberta,
    save_with_vocabulary,
)

SD_NER = "EMBO/sd-ner"
JNLPBA = "fran-martinez/scibert_scivocab_cased_ner_jnlpba"
CRAFT_ES = (
    "StivenLancheros/roberta-base-biomedical-clinical-es-finetuned-ner-CRAFT_AugmentedTransfer_EN"
)
CRAFT = "StivenLancheros/Biobert-base-cased-v1.2-finetuned-ner-CRAFT"
BIO_LM = "EMBO/bio-lm"

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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, offline."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.delenv(MODEL_DIR, raising=False)
    return folder


def labels_of(name: str) -> tuple[str, ...]:
    return KNOWN_MODELS[name].id2label


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


@pytest.fixture
def vocabularies(shared_dir: Path) -> Path:
    return shared_dir / "tokenizers"


def test_sd_ner_reads_with_the_tokenizer_of_roberta_base_and_i_before_b(
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


def test_markers_around_a_text_change_nothing_but_where_the_entities_lie(
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


def test_biobert_keeps_case_and_has_o_at_the_end_of_its_label_list(
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


def test_bio_lm_fills_the_mask_of_its_cards_example_as_transformers_does(
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


def test_a_snapshot_of_each_architecture_gives_the_probabilities_of_transformers(
    cache: Path, saved: Path
) -> None:
    folder = as_snapshot(saved, cache, "org/model")
    for text in SENTENCES:
        assert (
            abs(as_we_compute("org/model", text) - as_transformers_computes(folder, text)).max()
            < 1e-5
        )


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("save", [save_bert, save_roberta])
def test_entities_are_those_of_the_pipeline_where_both_mean_the_same(
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


# Where a name is found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_roberta(tmp_path_factory.mktemp("tiny") / "tiny", labels=labels_of(SD_NER))


@pytest.fixture
def models(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(MODEL_DIR, str(folder))
    return folder


@pytest.mark.parametrize("place", ["EMBO/sd-ner", "sd-ner"])
def test_a_folder_of_models_holds_them_by_name(tiny: Path, models: Path, place: str) -> None:
    shutil.copytree(tiny, models / place)
    found = find(SD_NER)
    assert found.name == SD_NER
    assert found.folder == models / place


def test_a_folder_of_models_may_be_a_hub_cache(tiny: Path, models: Path) -> None:
    assert find_folder(as_snapshot(tiny, models, SD_NER)) == find(SD_NER).folder


def find_folder(snapshot: Path) -> Path:
    assert find(snapshot).name == SD_NER, (
        "a snapshot is called by its hub name, so that the rules for that model hold"
    )
    return snapshot


def test_the_command_line_takes_the_folder_of_models(
    tiny: Path, cache: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODEL_DIR, "")
    shutil.copytree(tiny, tmp_path / "models" / "sd-ner")
    assert main(["models", "--json", "--model-dir", str(tmp_path / "models")]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out) if row["here"]} == {
        "bundled",
        SD_NER,
    } | bundled_that_are_here()


def bundled_that_are_here() -> set[str]:
    return {listed.model.name for listed in listing() if listed.model.is_bundled and listed.is_here}


def test_a_revision_is_asked_for_by_name(tiny: Path, cache: Path) -> None:
    as_snapshot(tiny, cache, "org/model", revision="refs/pr/7")
    assert find("org/model@refs/pr/7").name == "org/model@refs/pr/7"
    with pytest.raises(ModelNotFoundError, match="hf download org/model --include"):
        find("org/model")


def test_safetensors_in_the_known_revision_stand_in_for_a_pickle_in_main(
    tiny: Path, cache: Path, tmp_path: Path
) -> None:
    pickled = shutil.copytree(tiny, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    as_snapshot(pickled, cache, SD_NER)
    with pytest.raises(
        UnsafeModelError, match=r"as a pickle.*hf download EMBO/sd-ner --revision refs/pr/2"
    ):
        find(SD_NER)
    good = as_snapshot(tiny, cache, SD_NER, revision="refs/pr/2")
    assert find(SD_NER).folder == good


def test_what_was_fetched_without_the_pickles_beside_it_is_whole(tiny: Path, cache: Path) -> None:
    """The hub's client keeps a list of what a repository holds and calls a snapshot without all of
    it incomplete."""
    snapshot = as_snapshot(tiny, cache, "org/model")
    trees = snapshot.parent.parent / "trees"
    trees.mkdir()
    (trees / f"{snapshot.name}.json").write_text(
        json.dumps([{"type": "file", "path": "pytorch_model.bin", "oid": "0", "size": 1}])
    )
    assert find("org/model").folder == snapshot


# What is said where something is missing


def test_what_is_missing_is_said_with_what_fetches_it_and_its_tokenizer(
    cache: Path, vocabularies: Path
) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        find(SD_NER)
    message = str(caught.value)
    assert (
        'hf download EMBO/sd-ner --revision refs/pr/2 --include "*.json" --include "*.safetensors"'
        in message
    )
    assert "hf download FacebookAI/roberta-base --include" in message
    as_snapshot(vocabularies / "roberta-base", cache, "FacebookAI/roberta-base")
    with pytest.raises(ModelNotFoundError) as caught:
        find(SD_NER)
    assert "roberta-base" not in str(caught.value)


def test_a_pickle_without_a_known_way_out_is_refused_with_ways_to_safetensors(
    tiny: Path, cache: Path, tmp_path: Path
) -> None:
    pickled = shutil.copytree(tiny, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    as_snapshot(pickled, cache, JNLPBA)
    with pytest.raises(
        UnsafeModelError,
        match=r"on a machine that holds nothing of value, or take a revision.*refs/pr/N",
    ):
        find(JNLPBA)
    with pytest.raises(UnsafeModelError, match=r"on a machine that holds nothing of value$"):
        find(pickled)


def test_weights_that_were_never_fetched_are_told_from_a_model_that_is_not_there(
    tiny: Path, cache: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(tiny, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    as_snapshot(bare, cache, JNLPBA)
    with pytest.raises(ModelNotFoundError, match=r"holds no weights.*may have a pickle only"):
        find(JNLPBA)


def test_a_part_of_the_weights_that_is_missing_is_named(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / weights["a"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    with pytest.raises(ModelNotFoundError, match=r"model-00002-of-00002\.safetensors"):
        find(folder)


def test_a_model_without_a_tokenizer_says_whose_is_missing(
    tiny: Path, cache: Path, tmp_path: Path
) -> None:
    for name in (SD_NER, "org/unknown"):
        bare = shutil.copytree(tiny, tmp_path / name)
        (bare / "tokenizer.json").unlink()
        as_snapshot(bare, cache, name)
    with pytest.raises(
        ModelNotFoundError,
        match=(
            "uses the tokenizer of FacebookAI/roberta-base, which is not here; download it: hf"
            " download"
        ),
    ):
        find(SD_NER)
    with pytest.raises(ModelNotFoundError, match="org/unknown has no tokenizer"):
        find("org/unknown")


def test_another_tokenizer_that_does_not_fit_the_weights_is_refused(
    tiny: Path, cache: Path, tmp_path: Path, vocabularies: Path
) -> None:
    bare = shutil.copytree(tiny, tmp_path / "sd-ner")
    (bare / "tokenizer.json").unlink()
    as_snapshot(vocabularies / "roberta-base", cache, "roberta-base")
    with pytest.raises(UnsafeModelError, match="its tokenizer has 50265 tokens, its weights"):
        load_tokenizer(find(bare))
    with pytest.raises(UnsafeModelError, match="its tokenizer has"):
        load_tokenizer(find(edit_config(shutil.copytree(tiny, tmp_path / "small"), vocab_size=7)))


@pytest.mark.parametrize("text", ["{", '{"version": "1.0"}'])
def test_a_broken_tokenizer_is_said_in_a_sentence(tiny: Path, tmp_path: Path, text: str) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(UnsafeModelError, match="its tokenizer cannot be read"):
        load_tokenizer(folder)


def test_a_trained_model_gets_the_tokenizer_that_its_base_took_from_another(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    saved = save_with_vocabulary(
        tmp_path / "model", vocabularies / "roberta-base", labels=labels_of(SD_NER)
    )
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (saved / name).unlink()
    as_snapshot(saved, cache, SD_NER)
    as_snapshot(vocabularies / "roberta-base", cache, "roberta-base")
    (tmp_path / "trained").mkdir()
    save_tokenizer(find(SD_NER), tmp_path / "trained")
    assert (
        load_tokenizer(tmp_path / "trained").encode(SENTENCES[0]).ids
        == load_tokenizer(find(SD_NER)).encode(SENTENCES[0]).ids
    )


def test_no_fetch_is_tried_offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("a fetch was tried")
    )
    with pytest.raises(ModelNotFoundError, match="download it on a machine with a network"):
        find(SD_NER, may_fetch=True)


def test_a_fetch_takes_no_pickles_and_the_revision_with_safetensors(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def fetch(name: str, **settings: Any) -> str:
        asked.append((name, settings))
        return str(tiny)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert find(SD_NER, may_fetch=True).folder == tiny
    assert [(name, settings["revision"]) for name, settings in asked] == [(SD_NER, "refs/pr/2")]
    assert not any("bin" in pattern for pattern in asked[0][1]["allow_patterns"])


@pytest.mark.parametrize("name", ["../sd-ner", "a/b/c", "org/../model", "org/model@../x", "x y"])
def test_what_is_no_name_is_refused(cache: Path, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="not a hub name either"):
        find(name)


# The list


def test_each_known_model_names_a_scheme_that_holds_its_labels_and_a_recipe() -> None:
    for model in KNOWN_MODELS.values():
        labels = {label[2:] for label in model.id2label} - {""}
        assert model.about
        assert model.licence
        assert model.citation
        assert model.recipe in RECIPES
        if model.scheme in SCHEMES:
            assert labels <= set(SCHEMES[model.scheme].labels)
        else:
            assert model.task != "entities"
        assert (model.task == "fill_mask") == (not model.id2label)
        assert known_model(model.name.rpartition("/")[2]) == model


def test_the_list_says_what_is_here_and_what_fetches_the_rest(
    cache: Path, tiny: Path, capsys: Any
) -> None:
    as_snapshot(tiny, cache, SD_NER)
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert "EMBO/sd-ner: here" in text
    assert "EMBO/sd-ner-v2: missing" in text
    assert "hf download EMBO/sd-ner-v2 --include" in text
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(KNOWN_MODELS)
    assert rows[SD_NER]["here"]
    assert not rows[SD_NER]["commands"]
    assert rows[CRAFT]["commands"][0].startswith(f"hf download {CRAFT} ")


def test_the_list_needs_no_torch() -> None:
    command = (
        "import sys; from ner_engine.registry.catalogue import listing; listing(); "
        "import ner_engine.registry.label_schemes; print('torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"


@pytest.fixture(autouse=True)
def _same_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line writes the folder of models into the environment; each test has its own."""
    monkeypatch.setenv(MODEL_DIR, "")
    yield
