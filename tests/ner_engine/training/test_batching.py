"""Batches: every example once, nothing computed for padding, and the figures of each example as if
it came alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.inference.loading import load_classifier
from ner_engine.training.attention import PACKED, can_pack
from ner_engine.training.batching import Batcher, BatchOrder, even_groups
from ner_engine.training.examples import IGNORED, Example
from ner_engine.training.loss import balanced_weights, token_loss
from tests.ner_engine.checkpoints import LABELS, edit_config, save_bert, save_roberta

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=40)


def examples(lengths: list[int], *, vocabulary: int = 90, seed: int = 1) -> list[Example]:
    """Random examples; the first and last token of each has no label, as special ones have none."""
    chance = torch.Generator().manual_seed(seed)
    found = []
    for length in lengths:
        labels = torch.randint(0, len(LABELS), (length,), generator=chance).tolist()
        labels[0] = labels[-1] = IGNORED
        found.append(
            Example(torch.randint(5, vocabulary, (length,), generator=chance).tolist(), labels)
        )
    return found


def network(folder: Path, attention: str) -> Any:
    from ner_engine.registry.catalogue import find

    model = load_classifier(
        find(folder), settings={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    )
    model.set_attn_implementation(attention)
    return model.train()


def gradients(
    model: Any, rows: list[dict[str, Any]]
) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """The logits of each row, and what the sum of their losses asks of the weights."""
    model.zero_grad()
    found = []
    for row in rows:
        inputs = {name: value for name, value in row.items() if name != "labels"}
        logits = model(**inputs).logits
        token_loss(logits, row["labels"]).backward()
        found.append(logits.detach())
    return found, {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


# Which examples


@given(
    lengths=LENGTHS,
    batch_size=st.integers(1, 12),
    n_processes=st.integers(1, 4),
    grouped=st.booleans(),
    seed=st.integers(0, 99),
)
def test_each_example_occurs_once_on_any_number_of_processes(
    lengths: list[int], batch_size: int, n_processes: int, grouped: bool, seed: int
) -> None:
    def shares(process: int, n: int) -> list[list[int]]:
        return list(
            BatchOrder(
                lengths,
                batch_size,
                seed,
                grouped=grouped,
                epoch=lambda: 3,
                process=process,
                n_processes=n,
            )
        )

    whole, dealt = shares(0, 1), [shares(process, n_processes) for process in range(n_processes)]
    assert Counter(index for batch in whole for index in batch) == Counter(range(len(lengths)))
    assert len({len(batches) for batches in dealt}) == 1
    assert [
        sorted(index for share in step for index in share) for step in zip(*dealt, strict=True)
    ] == [sorted(batch) for batch in whole]
    assert all(len(batch) == batch_size for batch in whole[:-1])


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = list(range(1, 101))

    def order(seed: int, epoch: int) -> list[list[int]]:
        return list(BatchOrder(lengths, 8, seed, grouped=False, epoch=lambda: epoch))

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) != order(2, 1)


# In which rows


@given(lengths=LENGTHS, budget=st.integers(1, 200))
def test_groups_hold_each_index_once_and_no_more_than_the_budget(
    lengths: list[int], budget: int
) -> None:
    groups = even_groups(lengths, budget)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(
        len(group) == 1 or sum(lengths[index] for index in group) <= budget for group in groups
    )


@given(lengths=LENGTHS, budget=st.integers(20, 200))
def test_packed_rows_hold_every_token_once_and_nothing_else(
    lengths: list[int], budget: int
) -> None:
    given_examples = examples([length + 1 for length in lengths])
    rows = Batcher(budget, packed=True)(given_examples)
    assert sum(row["input_ids"].numel() for row in rows) == sum(
        len(example.input_ids) for example in given_examples
    )
    found: Counter[Any] = Counter()
    for row in rows:
        cuts = zip(
            *(
                row[name][0].split(row["sequence_lengths"])
                for name in ("input_ids", "labels", "position_ids")
            ),
            strict=True,
        )
        for ids, labels, positions in cuts:
            assert positions.tolist() == list(range(len(ids)))
            found[tuple(ids.tolist()), tuple(labels.tolist())] += 1
    assert found == Counter(
        (tuple(example.input_ids), tuple(example.labels)) for example in given_examples
    )


@given(lengths=LENGTHS, budget=st.integers(20, 200))
def test_padded_rows_have_every_label_within_the_budget(lengths: list[int], budget: int) -> None:
    given_examples = examples([length + 1 for length in lengths])
    rows = Batcher(budget, packed=False)(given_examples)
    assert all(row["input_ids"].numel() <= budget or len(row["input_ids"]) == 1 for row in rows)
    assert sum(int(row["attention_mask"].sum()) for row in rows) == sum(
        len(example.input_ids) for example in given_examples
    )
    labels = Counter(
        label for row in rows for label in row["labels"].flatten().tolist() if label != IGNORED
    )
    assert labels == Counter(
        label for example in given_examples for label in example.labels if label != IGNORED
    )


def test_packed_rows_halve_the_computed_tokens() -> None:
    lengths = [40, 55, 90, 120, 150, 160, 200, 510]
    rows = Batcher(2048, packed=True)(examples(lengths))
    assert sum(row["input_ids"].numel() for row in rows) * 2 < 512 * len(lengths)


# What they give


@pytest.mark.parametrize("save", [save_bert, save_roberta])
@pytest.mark.parametrize("budget", [40, 1000])
@pytest.mark.parametrize("packed", [True, False])
def test_logits_and_gradients_are_those_of_one_example_at_a_time(
    save: Any, budget: int, packed: bool, tmp_path: Path
) -> None:
    folder = save(tmp_path / "model")
    given_examples = examples([7, 31, 12, 25, 3, 18])
    reference = network(folder, "eager")
    alone = [
        Batcher(1, packed=False, pad_id=reference.config.pad_token_id)([example])[0]
        for example in given_examples
    ]
    expected_logits, expected = gradients(reference, alone)

    model = network(folder, PACKED)
    batcher = Batcher.of(model.config.to_dict(), budget=budget, packed=packed)
    rows = batcher(given_examples)
    logits, found = gradients(model, rows)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert (found[name] - gradient).abs().max() <= 1e-4 * gradient.abs().max().clamp(min=1), (
            name
        )
    if packed:
        flat = {
            tuple(ids.tolist()): out
            for row, given in zip(rows, logits, strict=True)
            for ids, out in _cut(row, given)
        }
        for example, wanted in zip(given_examples, expected_logits, strict=True):
            assert torch.allclose(flat[tuple(example.input_ids)], wanted[0], atol=1e-4)


def _cut(row: dict[str, Any], logits: torch.Tensor) -> Any:
    return zip(
        row["input_ids"][0].split(row["sequence_lengths"]),
        logits[0].split(row["sequence_lengths"]),
        strict=True,
    )


def test_the_fused_kernel_equals_plain_products() -> None:
    from ner_engine.training.attention import _by_kernel, _by_products

    torch.manual_seed(0)
    query, key, value = torch.randn(3, 4, 17, 8).unbind()
    assert torch.allclose(
        _by_kernel(query, key, value, 0.3, 0.0),
        _by_products(query, key, value, 0.3, 0.0),
        atol=1e-5,
    )


def test_only_some_architectures_are_packed(
    tmp_path: Path,
) -> None:
    config = network(save_bert(tmp_path / "bert"), "eager").config.to_dict()
    assert can_pack(config)
    assert not can_pack(config | {"model_type": "mpnet"})
    edit_config(tmp_path / "bert", position_embedding_type="relative_key")
    assert not can_pack({"model_type": "bert", "position_embedding_type": "relative_key"})


# The loss


def test_losses_of_micro_batches_add_up_to_the_batch_mean() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 9, 5), torch.randint(0, 5, (2, 9))
    labels[0, :3] = IGNORED
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    summed = sum(
        token_loss(logits[row : row + 1], labels[row : row + 1], weights) for row in range(2)
    )
    share = weights[labels[labels != IGNORED]].sum()
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), weight=weights
    )
    assert torch.allclose(torch.as_tensor(summed) / share, expected)


def test_balanced_weights_give_labels_the_same_total_weight() -> None:
    weights = balanced_weights([0] * 90 + [1] * 9 + [2], 4)
    assert torch.allclose(weights[:3] * torch.tensor([90.0, 9.0, 1.0]), torch.full((3,), 100 / 3))
    assert weights[3] == 1


@pytest.mark.parametrize("packed", [True, False])
def test_an_example_has_its_weight_in_any_row(packed: bool, tmp_path: Path) -> None:
    model = network(save_bert(tmp_path / "bert"), PACKED if packed else "sdpa")
    plain = examples([12, 7, 9])
    counting = [
        replace(example, weight=weight)
        for example, weight in zip(plain, (1.0, 0.25, 0.0), strict=True)
    ]
    batcher = Batcher.of(model.config.to_dict(), budget=1000, packed=packed)
    (row,) = batcher(counting)
    assert row["weights"].shape == row["labels"].shape
    expected: dict[str, torch.Tensor] = {}
    for example, weight in zip(plain, (1.0, 0.25, 0.0), strict=True):
        _, found = gradients(model, batcher([example]))
        expected = {
            name: expected.get(name, 0) + weight * gradient for name, gradient in found.items()
        }
    model.zero_grad()
    logits = model(
        **{name: value for name, value in row.items() if name not in ("labels", "weights")}
    ).logits
    token_loss(logits, row["labels"], token_weights=row["weights"]).backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(parameter.grad, expected[name], atol=1e-5), name


def test_where_everything_counts_alike_a_batch_is_what_it_was() -> None:
    for packed in (True, False):
        (row,) = Batcher(1000, packed)(examples([5, 4]))
        assert "weights" not in row
