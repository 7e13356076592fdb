"""What commands that train have in common, and those that train several times in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.management.commands.import_documents import project_named
from annotator.datasets.commands import SnapshotCommand, snapshot_numbered
from annotator.jobs.services import end_dead_commands
from annotator.learning.models import SeriesKind, TrainingSeries
from annotator.learning.tagging.services import find_model
from annotator.learning.training.recipes import DEFAULT_RECIPE, check_series, recipe_named
from annotator.learning.training.series import OPTIONS, SERIES_KIND, SeriesPayload, add_series


def add_training_arguments(
    parser: CommandParser,
    *,
    snapshot: str = "a new one of all that is accepted",
    base: str = "what serves the recipe's step, else the entities",
) -> None:
    """What every training is asked for; the words say what an option that is not given stands
    for."""
    parser.add_argument("project", metavar="PROJECT", help="the project's address, such as demo")
    parser.add_argument(
        "--recipe",
        default=DEFAULT_RECIPE,
        metavar="NAME",
        help="hyperparameters to begin with (default: %(default)s)",
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
        help="another value for a hyperparameter",
    )


def settings_of(pairs: Sequence[str]) -> Mapping[str, str]:
    """NAME=VALUE pairs as a mapping. Raises ``UserError`` for what is none."""
    for pair in pairs:
        if "=" not in pair:
            raise UserError(f"--set {pair} must be NAME=VALUE, such as --set epochs=1.")
    return dict(pair.split("=", 1) for pair in pairs)


class SeriesCommand(SnapshotCommand):
    """A command whose work is a series of short trainings on a snapshot. One that was stopped goes
    on when it is asked for the same again."""

    kind: ClassVar[SeriesKind]

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_training_arguments(parser, base="as the panel says")
        parser.add_argument(
            "--seed", type=int, default=42, help="deals out the papers (default: %(default)s)"
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
        """The series, done. Raises ``UserError`` where it could not be."""
        target = project_named(project)
        chosen = find_model(name=base, project=target) if base else None
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
        frozen = (
            snapshot_numbered(target, snapshot) if snapshot is not None else self.freeze(target)
        )
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
                TrainingSeries.objects.filter(
                    pk=series.pk, job=None
                ).delete()  # another series of the project is unfinished
            raise
        except KeyboardInterrupt as stop:
            raise UserError(
                f"Stopped. What is finished stays: go on with --snapshot {frozen.number} and the"
                " same settings."
            ) from stop
        series.refresh_from_db()
        return series


def _stopped_before(series: TrainingSeries) -> TrainingSeries | None:
    """The newest series that was asked for the same and is neither done nor at work."""
    alike = {
        name: getattr(series, name) for name in ("project", "snapshot", "kind", "base", "recipe")
    }
    for other in TrainingSeries.objects.filter(**alike).exclude(pk=series.pk).select_related("job"):
        # compared here: SQLite compares what lies in its columns, in which the same settings stand
        # in whatever order they came
        if (other.hyperparameters, other.options) == (
            series.hyperparameters,
            series.options,
        ) and not (other.is_done or other.is_at_work):
            return other
    return None
