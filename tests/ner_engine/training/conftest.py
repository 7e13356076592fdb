"""Fixtures of training runs: a data folder, a base model, and a function that trains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ner_engine.training.fine_tune import train
from tests.ner_engine.checkpoints import save_bert
from tests.ner_engine.training.runs import Events, Run, recipe, rows, write


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(
        tmp_path_factory.mktemp("data"),
        {"train": rows(37, "train"), "eval": rows(9, "eval"), "test": rows(5, "test")},
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [row["text"] for row in rows(30, "train")]
    return save_bert(tmp_path_factory.mktemp("base"), labels=None, texts=texts)


@pytest.fixture
def run(data: Path, base: Path) -> Run:
    def go(
        out: Path,
        *,
        begin: Path = base,
        resume: bool = False,
        stop_at: int | None = None,
        die_at: int | None = None,
        **settings: str,
    ) -> Events:
        events = Events()

        def emit(event: Mapping[str, Any]) -> None:
            events.append(json.loads(json.dumps(event)))
            if die_at is not None and events.step >= die_at:
                raise InterruptedError

        train(
            recipe(**settings),
            data=data,
            base=begin,
            out=out,
            resume=resume,
            emit=emit,
            stop_requested=lambda: stop_at is not None and events.step >= stop_at,
        )
        return events

    return go
