"""Pre-tagging: a model's suggestions for every legend that nobody has begun to review, never the same legend twice with the same model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from annotator.common.errors import UserError
from annotator.corpus.annotations import write_suggestions
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.jobs.errors import JobStoppedError
from annotator.learning import engine
from ner_engine.errors import EngineError, OffsetError
from ner_engine.schema import Span

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun
    from annotator.learning.models import ModelVersion

log = structlog.get_logger(__name__)

#: Legends that are tagged and written together: enough to fill a batch, few enough to stop soon.
BATCH: Final = 64
#: Named one by one in the report; the rest is counted.
MAX_NAMED: Final = 20


def waiting_for(project: Project, model: ModelVersion) -> QuerySet[Document]:
    """Undecided legends whose current suggestions are not this model's."""
    current = Layer.objects.current().filter(document=OuterRef("pk"), kind=LayerKind.SUGGESTED, source=model.name)
    return project.documents.undecided().exclude(Exists(current))


@dataclass
class Pretagging:
    """Tags what waits in one project. ``serving_now`` tells which model serves, so that a promotion in between is followed."""

    project: Project
    run: JobRun
    serving_now: Callable[[], ModelVersion]
    counts: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    models: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def tag(self, model: ModelVersion, serving_before: int | None) -> dict[str, Any]:
        """Tag with ``model``, then, as often as another model was promoted since ``serving_before``, with that; the report.

        A legend that the model cannot tag is named in it and keeps what it had. Raises ``UserError`` where it cannot tag any.
        """
        self._tag_with(model)
        while (serving := self._serving_at_the_end(serving_before)).pk != serving_before:
            serving_before = serving.pk
            self._tag_with(serving)
        return {
            "model": self.models[-1],
            "models": self.models,
            "documents": self.counts["documents"],
            "spans": self.counts["spans"],
            "taken_up_meanwhile": self.counts["taken_up_meanwhile"],
            "n_refused": self.counts["refused"],
            "refused": self.refused,
            "unknown_labels": dict(sorted(self.unknown_labels.items())),
        }

    def _serving_at_the_end(self, serving_before: int | None) -> ModelVersion:
        """Which model serves now; where it is the same as before, a promotion after this moment finds the way free for a job of its own."""
        with transaction.atomic():
            Project.objects.select_for_update().get(pk=self.project.pk)
            serving = self.serving_now()
            if serving.pk == serving_before:
                self.run.make_way()
        return serving

    def _tag_with(self, model: ModelVersion) -> None:
        self.models.append(model.name)
        known = frozenset(self.project.label_set.labels.filter(retired_at=None).values_list("code", flat=True))
        waiting = waiting_for(self.project, model)
        total, done, last, n_refused_before = waiting.count(), 0, 0, self.counts["refused"]
        self.run.report(done=0, total=total, message=f"Loading {model.name}" if total else "Nothing waits to be tagged")
        while batch := list(waiting.filter(pk__gt=last).order_by("pk").only("pk", "text")[:BATCH]):
            self.run.check()
            self._tag_batch(batch, model, known)
            last, done = batch[-1].pk, done + len(batch)
            if self.counts["refused"] - n_refused_before == done:
                raise UserError(f"{model.name} cannot tag any of these legends; the log says why. Tag with another model. {' '.join(self.refused)}")
            self.run.report(done=done, total=max(total, done), message=f"Tagging with {model.name}")

    def _tag_batch(self, batch: Sequence[Document], model: ModelVersion, known: frozenset[str]) -> None:
        """Tag and write them together; where that fails, one by one, so that a bad legend costs the others nothing."""
        try:
            tagged = [self._known(spans, known) for spans in engine.tag(model, [document.text for document in batch])]
            self.run.check()
            self._write(batch, tagged, model)
        except OffsetError as error:
            self._tag_one_by_one(batch, model, known, error)
        except (JobStoppedError, DatabaseError, UserError, EngineError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model chokes on; one by one it is told from a model that always fails
            self._tag_one_by_one(batch, model, known, error)

    def _tag_one_by_one(self, batch: Sequence[Document], model: ModelVersion, known: frozenset[str], error: Exception) -> None:
        if len(batch) > 1:
            for document in batch:
                self.run.check()
                self._tag_batch([document], model, known)
            return
        log.warning("legend_not_tagged", document=batch[0].pk, model=model.name, error=type(error).__name__)
        self.counts["refused"] += 1
        if len(self.refused) < MAX_NAMED:
            self.refused.append(f"Legend {batch[0].pk} ({batch[0]}) was not tagged: the model stopped with {type(error).__name__}.")

    def _known(self, spans: Sequence[Span], known: frozenset[str]) -> list[Span]:
        self.unknown_labels.update(span.label for span in spans if span.label not in known)
        return [span for span in spans if span.label in known]

    def _write(self, batch: Sequence[Document], tagged: Sequence[Sequence[Span]], model: ModelVersion) -> None:
        n = write_suggestions(batch=list(zip(batch, tagged, strict=True)), source=model.name)
        self.counts["documents"] += n
        self.counts["taken_up_meanwhile"] += len(batch) - n
        self.counts["spans"] += sum(map(len, tagged)) if n == len(batch) else _n_written(batch, model)


def _n_written(batch: Sequence[Document], model: ModelVersion) -> int:
    layers = Layer.objects.current().filter(document__in=batch, kind=LayerKind.SUGGESTED, source=model.name)
    return sum(layer.spans.count() for layer in layers)
