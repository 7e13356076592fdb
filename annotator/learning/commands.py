"""Arguments that training commands share, and the base of the commands of training series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.management.commands.import_documents import project_named
from annotator.corpus.models import Project
from annotator.datasets.commands import SnapshotCommand, snapshot_numbered
from annotator.datasets.models import Snapshot
from annotator.jobs.services import end_dead_commands
from annotator.learning.models import ModelVersion, SeriesKind, TrainingSeries
from annotator.learning.tagging.services import find_model
from annotator.learning.training.recipes import DEFAULT_RECIPE, check_series, recipe_named
from annotator.learning.training.series import OPTIONS, SERIES_KIND, SeriesPayload, add_series


def add_training_arguments(
    parser: CommandParser,
    *,
    snapshot: str = "a new one of all accepted legends",
    base: str = "the serving model of the recipe's task, else of the entities",
) -> None:
    """Add the arguments of a training; ``snapshot`` and ``base`` describe their defaults."""
    parser.add_argument("project", metavar="PROJECT", help="the project's address, such as demo")
    parser.add_argument(
        "--recipe",
        default=DEFAULT_RECIPE,
        metavar="NAME",
        help="recipe with the hyperparameters (default: %(default)s)",
    )
    parser.add_argument(
        "--snapshot",
        type=int,
        metavar="NUMBER",
        help=f"a snapshot of the project (default: {snapshot})",
    )
    parser.add_argument(
        "--base", default="", metavar="NAME", help=f"the model to train from (default: {base})"
    )
    parser.add_argument(
        "--set",
        dest="hyperparameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replace a hyperparameter of the recipe",
    )


def settings_of(pairs: Sequence[str]) -> Mapping[str, str]:
    """Return NAME=VALUE pairs as a mapping. Raises ``UserError`` for a pair without "="."""
    for pair in pairs:
        if "=" not in pair:
            raise UserError(f"--set {pair} must be NAME=VALUE, such as --set epochs=1.")
    return dict(pair.split("=", 1) for pair in pairs)


def model_named(name: str, project: Project) -> ModelVersion | None:
    """Return the project's model with that name, or None without a name."""
    if not name:
        return None
    return find_model(name=name, project=project)


class TrainingCommand(SnapshotCommand):
    """A command that trains on a snapshot: the one that was named, or a new one."""

    def snapshot_or_new(self, number: int | None, project: Project) -> Snapshot:
        """Return the snapshot with the number, or freeze one without a number."""
        if number is None:
            return self.freeze(project)
        return snapshot_numbered(project, number)


class SeriesCommand(TrainingCommand):
    """A command that runs a training series on a snapshot.

    Run again with the same arguments, it resumes a series that was stopped.
    """

    kind: ClassVar[SeriesKind]

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_training_arguments(parser, base="as in the admin")
        parser.add_argument(
            "--seed",
            type=int,
            default=42,
            help="seed of the random split of the papers (default: %(default)s)",
        )

    def done_series(
        self,
        *,
        project: str,
        snapshot: int | None,
        recipe: str,
        base: str,
        hyperparameters: list[str],
        **others: Any,
    ) -> TrainingSeries:
        """Run the series and return it. Raises ``UserError`` if it was stopped or failed."""
        target = project_named(project)
        chosen = model_named(base, target)
        asked: dict[str, Any] = {"recipe": recipe, "hyperparameters": settings_of(hyperparameters)}
        asked["options"] = {name: others[name] for name in sorted(OPTIONS[self.kind])}
        recipe_named(recipe)
        check_series(
            program=self.kind,
            recipe=recipe,
            base="",
            settings=asked["hyperparameters"],
            options=asked["options"],
        )
        frozen = self.snapshot_or_new(snapshot, target)
        series = add_series(
            project=target, snapshot=frozen, kind=self.kind, actor=SYSTEM, base=chosen, **asked
        )
        end_dead_commands(kind=SERIES_KIND, scope=target.scope)
        earlier = _stopped_before(series)
        if earlier is not None:
            series.delete()
            series = earlier
        try:
            self.run_job(kind=SERIES_KIND, scope=target.scope, payload=SeriesPayload(series.pk))
        except UserError:
            if earlier is None:
                # without a job, because another series of the project is unfinished
                TrainingSeries.objects.filter(pk=series.pk, job=None).delete()
            raise
        except KeyboardInterrupt as stop:
            raise UserError(
                f"Stopped. Finished trainings stay: resume with --snapshot {frozen.number} and the"
                " same settings."
            ) from stop
        series.refresh_from_db()
        return series


def _stopped_before(series: TrainingSeries) -> TrainingSeries | None:
    """Return the newest series with the same settings that is neither done nor running."""
    alike = {
        name: getattr(series, name) for name in ("project", "snapshot", "kind", "base", "recipe")
    }
    for other in TrainingSeries.objects.filter(**alike).exclude(pk=series.pk).select_related("job"):
        # compared here, because SQLite compares JSON as text, with its keys in any order
        is_same = (
            other.hyperparameters == series.hyperparameters and other.options == series.options
        )
        if is_same and not other.is_done and not other.is_at_work:
            return other
    return None
