"""The sections that the site adds to the card of a model it trained."""

from __future__ import annotations

import re
from collections.abc import Callable

from annotator.accounts.models import User
from annotator.datasets.models import Snapshot, SplitFile
from annotator.learning.models import Evaluation, ModelVersion, TrainingRun
from annotator.learning.serving.provenance import with_provenance

HEAD = "# quick\n\n## Model description\n\nIt finds.\n\n## Licence\n\nThe base is under mit.\n"


def test_a_card_counts_curators_and_names_nobody_and_no_file(
    learned: Snapshot, candidate_of: Callable[..., ModelVersion], tiny: ModelVersion, manager: User
) -> None:
    split = SplitFile(
        project=learned.project, name="for-doctor-who.tsv", splits={}, sha256="0" * 64
    )
    learned.filters, learned.split_file, learned.split_rule = (
        {"curators": [manager.pk]},
        split,
        "file-ab12+sha256-80-10-10",
    )
    judged = Evaluation.objects.get(model_version=candidate_of(learned))
    run = TrainingRun.objects.get()
    run.snapshot = learned
    card = with_provenance(HEAD, run, judged, Evaluation.objects.get(model_version=tiny))
    assert "accepted by any of 1 chosen curators" in card
    assert "- **split by paper**: file-ab12+sha256-80-10-10\n" in card
    assert f"| F1 of {tiny.name} | difference of F1, points |" in card
    assert not {manager.username, split.name} & set(re.split(r"[\s|,;]+", card))
    headings = [line for line in card.splitlines() if line.startswith("#")]
    assert headings == [
        f"# {run.candidate_name}",
        "## Model description",
        "## Provenance",
        "## Evaluation before promotion",
        "## Licence",
    ]


def test_a_card_needs_no_guideline_and_no_serving_model(
    learned: Snapshot, candidate_of: Callable[..., ModelVersion]
) -> None:
    judged = Evaluation.objects.get(model_version=candidate_of(learned))
    run = TrainingRun.objects.get()
    run.snapshot = learned
    learned.report.pop("guideline")
    for side in learned.counts.values():
        side.pop("swept")
    card = with_provenance("# run\n", run, judged, None)
    assert "- **guideline**: none\n" in card
    assert "No model was serving." in card
    assert "difference" not in card
