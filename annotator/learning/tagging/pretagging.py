"""Pre-tagging: what models suggest for every legend that nobody has begun to review, never the same
legend twice with the same models.

Three steps: where panels start, what the entities are, and the roles of those that take any. Each
is done by a model of its own, or not at all.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from annotator.common.errors import UserError
from annotator.corpus.annotations import write_suggestions
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.corpus.models import Segment as SegmentRow
from annotator.jobs.errors import JobStoppedError
from annotator.learning import engine
from annotator.learning.tagging.lineup import Lineup
from ner_engine.errors import EngineError, OffsetError
from ner_engine.schema import Segment, Span

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

#: Legends that are tagged and written together: enough to fill a batch, few enough to stop soon.
BATCH: Final = 64
#: Named one by one in the report; the rest is counted.
MAX_NAMED: Final = 20
_MAX_MARKER: Final = 40


@dataclass
class Pretagging:
    """Tags what waits in one project. ``serving_now`` tells which models serve, so that a promotion
    in between is followed."""

    project: Project
    run: JobRun
    serving_now: Callable[[], Lineup]
    counts: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    lineups: list[Lineup] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    known: frozenset[str] = frozenset()

    def tag(self, lineup: Lineup, serving_before: object) -> dict[str, Any]:
        """Tag with ``lineup``, then, as often as another model was promoted since
        ``serving_before`` served, with what serves then; the report.

        A legend that a model cannot tag is named in it and keeps what it had. Raises ``UserError``
        where it cannot tag any, ``DeviceError`` where the device fails: no legend is refused for
        that, and those that were tagged stay so.
        """
        self._tag_with(lineup)
        while (serving := self._serving_at_the_end(serving_before)).keys != serving_before:
            serving_before = serving.keys
            self._tag_with(serving)
        last = self.lineups[-1]
        return {
            "model": last.entities.name,
            "models": [lineup.entities.name for lineup in self.lineups],
            "canary": last.canary.model_version.name if last.canary is not None else "",
            "steps": last.names,
            "left_out": {str(step.task): step.reason for step in last.steps if step.model is None},
            "documents": self.counts["documents"],
            "spans": self.counts["spans"],
            "roles": self.counts["roles"],
            "panels": self.counts["panels"],
            "taken_up_meanwhile": self.counts["taken_up_meanwhile"],
            "n_refused": self.counts["refused"],
            "refused": self.refused,
            "unknown_labels": dict(sorted(self.unknown_labels.items())),
        }

    def _serving_at_the_end(self, serving_before: object) -> Lineup:
        """What serves now; where it is the same as before, a promotion after this moment finds the
        way free for a job of its own."""
        with transaction.atomic():
            Project.objects.select_for_update().get(pk=self.project.pk)
            serving = self.serving_now()
            if serving.keys == serving_before:
                self.run.make_way()
        return serving

    def _tag_with(self, lineup: Lineup) -> None:
        self.lineups.append(lineup)
        for step in lineup.steps:
            if step.model is None:
                log.info(
                    "step_left_out",
                    project=self.project.pk,
                    step=str(step.task),
                    reason=step.reason,
                )
        self.known = frozenset(
            self.project.label_set.labels.filter(retired_at=None).values_list("code", flat=True)
        )
        for part, waiting in lineup.parts_in(self.project):
            self._tag_waiting(part, waiting)

    def _tag_waiting(self, lineup: Lineup, waiting: QuerySet[Document]) -> None:
        name = lineup.entities.name
        total, done, last, n_refused_before = waiting.count(), 0, 0, self.counts["refused"]
        self.run.report(
            done=0,
            total=total,
            message=f"Loading {name}" if total else "Nothing waits to be tagged",
        )
        rows = waiting.order_by("pk").only(
            "pk", "project", "text", "doi", "figure_label", "external_id"
        )
        while batch := list(rows.filter(pk__gt=last)[:BATCH]):
            self.run.check()
            self._tag_batch(batch, lineup)
            last, done = batch[-1].pk, done + len(batch)
            if self.counts["refused"] - n_refused_before == done:
                raise UserError(
                    f"{name} cannot tag any of these legends; the log says why. Tag with another"
                    f" model. {' '.join(self.refused)}"
                )
            self.run.report(done=done, total=max(total, done), message=f"Tagging with {name}")

    def _tag_batch(self, batch: Sequence[Document], lineup: Lineup) -> None:
        """Tag and write them together; where that fails, one by one, so that a bad legend costs the
        others nothing."""
        try:
            open_panels, panels = _panels_of(batch, finds=bool(lineup.panels_by))
            tagged = engine.tag(lineup.models, [document.text for document in batch], panels)
            self.run.check()
            self._write(batch, tagged, lineup, open_panels)
        except OffsetError as error:
            self._tag_one_by_one(batch, lineup, error)
        except (JobStoppedError, DatabaseError, UserError, EngineError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model chokes on; one by one it is told from a model that always fails
            self._tag_one_by_one(batch, lineup, error)

    def _tag_one_by_one(self, batch: Sequence[Document], lineup: Lineup, error: Exception) -> None:
        if len(batch) > 1:
            for document in batch:
                self.run.check()
                self._tag_batch([document], lineup)
            return
        log.warning(
            "legend_not_tagged",
            document=batch[0].pk,
            model=lineup.entities.name,
            error=type(error).__name__,
        )
        self.counts["refused"] += 1
        if len(self.refused) < MAX_NAMED:
            self.refused.append(
                f"Legend {batch[0].pk} ({batch[0]}) was not tagged: the model stopped with"
                f" {type(error).__name__}."
            )

    def _known(self, spans: Sequence[Span]) -> list[Span]:
        self.unknown_labels.update(span.label for span in spans if span.label not in self.known)
        return [span for span in spans if span.label in self.known]

    def _write(
        self,
        batch: Sequence[Document],
        tagged: Sequence[engine.Tagged],
        lineup: Lineup,
        open_panels: frozenset[int],
    ) -> None:
        spans = [self._known(found.spans) for found in tagged]
        panels = {
            document.pk: _storable(found.segments)
            for document, found in zip(batch, tagged, strict=True)
            if document.pk in open_panels
        }
        source = lineup.entities.name
        n = write_suggestions(
            batch=list(zip(batch, spans, strict=True)),
            source=source,
            steps=lineup.names,
            panels=panels,
            panels_by=lineup.panels_by,
        )
        self.counts["documents"] += n
        self.counts["taken_up_meanwhile"] += len(batch) - n
        self.counts["panels"] += (
            sum(map(len, panels.values()))
            if n == len(batch)
            else SegmentRow.objects.found().filter(document__in=batch).count()
        )
        written = spans if n == len(batch) else _written(batch, source)
        self.counts["spans"] += sum(map(len, written))
        self.counts["roles"] += sum(bool(span.role) for each in written for span in each)


def _panels_of(
    batch: Sequence[Document], *, finds: bool
) -> tuple[frozenset[int], list[Sequence[Segment]]]:
    """Of which legends panels are to be found, and the panels of each as the engine is told them:
    none where it is to find them.

    Where panels are not to be found, a legend without any is read as a whole.
    """
    asked = Document.objects.filter(pk__in=[document.pk for document in batch])
    is_open = (
        frozenset(asked.without_own_panels().values_list("pk", flat=True)) if finds else frozenset()
    )
    known: dict[int, list[Segment]] = {}
    rows = (
        SegmentRow.objects.filter(document__in=batch)
        .order_by("position")
        .values_list("document", "start", "end")
    )
    for document, start, end in rows:
        known.setdefault(document, []).append(Segment(start, end))
    whole = {document.pk: [Segment(0, len(document.text))] for document in batch}
    return is_open, [
        () if document.pk in is_open else known.get(document.pk) or whole[document.pk]
        for document in batch
    ]


def _storable(panels: Sequence[Segment]) -> list[Segment]:
    return [dataclasses.replace(panel, marker=panel.marker[:_MAX_MARKER]) for panel in panels]


def _written(batch: Sequence[Document], source: str) -> list[list[Any]]:
    """The suggestions that stand now, where some of the batch were taken up meanwhile."""
    layers = Layer.objects.current().filter(
        document__in=batch, kind=LayerKind.SUGGESTED, source=source
    )
    return [list(layer.spans.only("layer", "role")) for layer in layers]
