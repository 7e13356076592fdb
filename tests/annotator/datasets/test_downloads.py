"""Forms and downloads of snapshots, and their commands."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.services import (
    snapshot_archive,
)
from ner_engine.split import SPLITS
from tests.annotator.commands import run_command
from tests.annotator.datasets.conftest import frozen
from tests.ner_engine.checkpoints import save_roberta

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def test_the_tokenised_form_has_the_same_rows(
    project: Project, accepted: list[Document], settings: Any, tmp_path: Path
) -> None:
    assert frozen(project).report["tokenizer"] == ""
    settings.EXPORT_TOKENIZER = str(save_roberta(tmp_path / "tokenizer"))
    snapshot = frozen(project)
    for form, key in (("sd_panels", "panel_id"), ("sd_figs", "figure_id")):
        for side in SPLITS:
            words, tokens = (
                [
                    json.loads(line)[key]
                    for line in (
                        (snapshot.folder / folder / form / f"{side}.jsonl")
                        .read_text(encoding="utf-8")
                        .splitlines()
                    )
                ]
                for folder in ("", "tokenized")
            )
            assert words == tokens


def test_each_form_is_downloaded_as_the_files_that_were_frozen(
    project: Project, accepted: list[Document], reviewer: User, curator: User
) -> None:
    snapshot = frozen(project)
    for form, names in (
        ("jsonl", ["train.jsonl"]),
        ("sd-nlp", ["sd_panels/train.jsonl", "sd_figs/test.jsonl"]),
    ):
        data = b"".join(snapshot_archive(snapshot=snapshot, form=form, actor=reviewer))
        assert data == b"".join(snapshot_archive(snapshot=snapshot, form=form, actor=reviewer))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            for name in names:
                assert (
                    archive.read(f"autophagy-snapshot-1-{form}/{name}")
                    == (snapshot.folder / name).read_bytes()
                )
    with pytest.raises(UserError, match="was not written in that form"):
        snapshot_archive(snapshot=snapshot, form="sd-nlp-tokenized", actor=reviewer)
    with pytest.raises(PermissionDenied):
        snapshot_archive(snapshot=snapshot, form="jsonl", actor=curator)


def test_the_commands_freeze_compare_and_change_the_rules(
    project: Project, accepted: list[Document], tmp_path: Path
) -> None:
    split = tmp_path / "split.tsv"
    split.write_text("10.1000/long.0\ttest\n10.1000/long.1\ttrain\n", encoding="utf-8")
    ended = run_command(
        "freeze_snapshot",
        "autophagy",
        "--note",
        "first",
        "--label",
        "CELL",
        "--split-file",
        split,
        "--json",
    )
    assert ended.code == 0
    assert ended.err == ""
    assert ended.summary["snapshot"] == 1
    assert {"p0"} <= {row["id"] for row in rows_of(Path(ended.summary["folder"]), "test")}
    assert run_command("freeze_snapshot", "autophagy", "--json").summary["snapshot"] == 2
    found = run_command("diff_snapshots", "autophagy", "1", "2", "--json").summary
    assert found["legends"]["added"] == 0 and found["labels"]["GENEPROD"]["added"] == 30
    assert run_command("diff_snapshots", "autophagy", "1", "7").err.startswith(
        "There is no snapshot 7 in autophagy. Snapshots: 2, 1."
    )
    assert (
        run_command("snapshot_rules", "autophagy", "--swept-cap", "0.3", "--json").summary[
            "swept_cap"
        ]
        == 0.3
    )
    for wrong in (
        ["--label", "GENE"],
        ["--accepted-from", "tomorrow"],
        ["--curator", "nobody"],
        ["--split-file", tmp_path / "none.tsv"],
    ):
        assert run_command("freeze_snapshot", "autophagy", *wrong).code == 2
