"""Pre-tagging: suggest entities for every undecided legend, once for each set of models.

The pipeline has three stages: panel starts, entities, and roles. Each has its own model, or is
left out.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.corpus.models import Segment as SegmentRow
from annotator.corpus.storing import write_suggestions
from annotator.jobs.errors import JobStoppedError
from annotator.learning import engine
from annotator.learning.tagging.batches import BATCH, batches_by_paper
from annotator.learning.tagging.checkpoints import calibration_of
from annotator.learning.tagging.lineup import Lineup
from annotator.learning.tagging.own_affixes import count_own_affixes, own_affixes_of
from annotator.learning.tagging.steps import as_stored
from ner_engine.errors import EngineError, OffsetError
from ner_engine.registry.steps import AFFIXES, NO_STEPS, Steps, steps_named
from ner_engine.schema import Segment, Span

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun
    from annotator.learning.models import ModelVersion

log = structlog.get_logger(__name__)

#: Refused legends that the report names; the others are counted.
MAX_NAMED: Final = 20
_MAX_MARKER: Final = 40


@dataclass
class Pretagging:
    """Tags the waiting legends of one project.

    ``serving_now`` returns the serving models, so that a promotion during the job is noticed.
    """

    project: Project
    run: JobRun
    serving_now: Callable[[], Lineup]
    counts: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    lineups: list[Lineup] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    calibrated: dict[int, bool] = field(default_factory=dict)
    steps: Steps = NO_STEPS

    def tag(self, lineup: Lineup, serving_before: object) -> dict[str, Any]:
        """Tag with ``lineup``, then again after each promotion; return the report.

        ``serving_before`` are the keys of the models that served when the job was enqueued. A
        legend that a model cannot tag keeps its suggestions and is named in the report. Raises
        ``UserError`` if a model cannot tag any. Raises ``DeviceError`` if the device fails: no
        legend is refused for that, and tagged legends stay tagged.
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
            "after_decoding": list(last.steps),
            "left_out": {
                str(stage.task): stage.reason for stage in last.stages if stage.model is None
            },
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
        """Return the serving models; if they did not change, a later promotion gets a new job."""
        with transaction.atomic():
            Project.objects.select_for_update().get(pk=self.project.pk)
            serving = self.serving_now()
            if serving.keys == serving_before:
                self.run.make_way()
        return serving

    def _tag_with(self, lineup: Lineup) -> None:
        self.lineups.append(lineup)
        for stage in lineup.stages:
            if stage.model is None:
                log.info(
                    "stage_left_out",
                    project=self.project.pk,
                    stage=str(stage.task),
                    reason=stage.reason,
                )
        self.known = frozenset(
            self.project.label_set.labels.filter(retired_at=None).values_list("code", flat=True)
        )
        if AFFIXES in lineup.steps:
            count_own_affixes(self.project)
        self.steps = self._steps_of(lineup)
        for part, waiting in lineup.parts_in(self.project):
            self._tag_waiting(part, waiting)

    def _steps_of(self, lineup: Lineup) -> Steps:
        steps = steps_named(lineup.steps)
        if not steps.affixes:
            return steps
        return dataclasses.replace(steps, own_affixes=own_affixes_of(self.project))

    def _tag_waiting(self, lineup: Lineup, waiting: QuerySet[Document]) -> None:
        name = lineup.entities.name
        total, done, n_refused_before = waiting.count(), 0, self.counts["refused"]
        self.run.report(
            done=0,
            total=total,
            message=f"Loading {name}" if total else "No legend waits for tagging",
        )
        for batch in _batches(waiting):
            self.run.check()
            self._tag_batch(batch, lineup)
            done += len(batch)
            if self.counts["refused"] - n_refused_before == done:
                raise UserError(
                    f"{name} cannot tag any of these legends; the log says why. Tag with another"
                    f" model. {' '.join(self.refused)}"
                )
            self.run.report(done=done, total=max(total, done), message=f"Tagging with {name}")

    def _tag_batch(self, batch: Sequence[Document], lineup: Lineup) -> None:
        """Tag and write the legends together; if that fails, one by one to isolate the bad one."""
        try:
            open_panels, panels = _panels_of(batch, predicts=bool(lineup.panels_by))
            tagged = engine.tag(
                lineup.models,
                [document.text for document in batch],
                panels,
                steps=self.steps,
                papers=[document.doi for document in batch],
            )
            self.run.check()
            self._write(batch, tagged, lineup, open_panels)
        except OffsetError as error:
            self._tag_one_by_one(batch, lineup, error)
        except (JobStoppedError, DatabaseError, UserError, EngineError):
            raise
        except Exception as error:  # noqa: BLE001 - a text may make a model raise anything
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
        known = []
        for span in spans:
            if span.label in self.known:
                known.append(span)
            else:
                self.unknown_labels[span.label] += 1
        return known

    def _is_calibrated(self, model: ModelVersion) -> bool:
        if model.pk not in self.calibrated:
            self.calibrated[model.pk] = calibration_of(model) is not None
        return self.calibrated[model.pk]

    def _write(
        self,
        batch: Sequence[Document],
        tagged: Sequence[engine.Tagged],
        lineup: Lineup,
        open_panels: frozenset[int],
    ) -> None:
        spans = [self._known(found.spans) for found in tagged]
        panels = {}
        for document, found in zip(batch, tagged, strict=True):
            if document.pk in open_panels:
                panels[document.pk] = _storable(found.segments)
        source = lineup.entities.name
        n = write_suggestions(
            batch=list(zip(batch, spans, strict=True)),
            source=source,
            stage_models=lineup.names,
            is_calibrated=self._is_calibrated(lineup.entities),
            steps=as_stored(lineup.steps),
            panels=panels,
            panels_by=lineup.panels_by,
        )
        self.counts["documents"] += n
        self.counts["taken_up_meanwhile"] += len(batch) - n
        written: Sequence[Sequence[Any]] = spans
        n_panels = sum(map(len, panels.values()))
        if n < len(batch):
            written = _written(batch, source)
            n_panels = SegmentRow.objects.found().filter(document__in=batch).count()
        self.counts["panels"] += n_panels
        self.counts["spans"] += sum(map(len, written))
        self.counts["roles"] += sum(bool(span.role) for each in written for span in each)


def _batches(waiting: QuerySet[Document]) -> Iterator[list[Document]]:
    """Yield batches of waiting legends with the legends of a paper together.

    Legends that were imported meanwhile come last. A legend that is refused is yielded once.
    """
    texts = waiting.only("pk", "project", "text", "doi", "figure_label", "external_id")
    yielded: set[int] = set()
    while True:
        rows = waiting.order_by("doi", "pk").values_list("doi", "pk")
        legends = [(doi, key) for doi, key in rows if key not in yielded]
        if not legends:
            return
        for keys in batches_by_paper(legends, size=BATCH):
            yielded.update(keys)
            batch = texts.in_bulk(keys)
            if batch:
                yield [batch[key] for key in keys if key in batch]


def _panels_of(
    batch: Sequence[Document], *, predicts: bool
) -> tuple[frozenset[int], list[Sequence[Segment]]]:
    """Return the legends whose panels the engine predicts, and the panels of each legend.

    A legend in the first has no panels in the second. If panels are not predicted, a legend
    without any counts as one.
    """
    asked = Document.objects.filter(pk__in=[document.pk for document in batch])
    is_open: frozenset[int] = frozenset()
    if predicts:
        is_open = frozenset(asked.without_own_panels().values_list("pk", flat=True))
    known: dict[int, list[Segment]] = {}
    rows = (
        SegmentRow.objects.filter(document__in=batch)
        .order_by("position")
        .values_list("document", "start", "end")
    )
    for key, start, end in rows:
        known.setdefault(key, []).append(Segment(start, end))
    panels: list[Sequence[Segment]] = []
    for document in batch:
        if document.pk in is_open:
            panels.append(())
        else:
            panels.append(known.get(document.pk) or [Segment(0, len(document.text))])
    return is_open, panels


def _storable(panels: Sequence[Segment]) -> list[Segment]:
    return [dataclasses.replace(panel, marker=panel.marker[:_MAX_MARKER]) for panel in panels]


def _written(batch: Sequence[Document], source: str) -> list[list[Any]]:
    """Return the batch's current suggestions, for reviewers opened some legends meanwhile."""
    layers = Layer.objects.current().filter(
        document__in=batch, kind=LayerKind.SUGGESTED, source=source
    )
    return [list(layer.spans.only("layer", "role")) for layer in layers]
