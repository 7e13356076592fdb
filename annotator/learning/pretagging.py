"""Pre-tagging: a model's suggestions for every legend that nobody has begun to review, never the same legend twice with the same model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, OuterRef, QuerySet

from annotator.corpus.annotations import write_suggestions
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.learning import engine
from ner_engine.schema import Span

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun
    from annotator.learning.models import ModelVersion

#: Legends that are tagged and written together: enough to fill a batch, few enough to stop soon.
BATCH: Final = 64


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

    def tag(self, model: ModelVersion, serving_before: int | None) -> dict[str, Any]:
        """Tag with ``model``, then, as often as another model was promoted since ``serving_before``, with that; the report."""
        self._tag_with(model)
        while (serving := self.serving_now()).pk != serving_before:
            serving_before = serving.pk
            self._tag_with(serving)
        return {
            "model": self.models[-1],
            "models": self.models,
            "documents": self.counts["documents"],
            "spans": self.counts["spans"],
            "taken_up_meanwhile": self.counts["taken_up_meanwhile"],
            "unknown_labels": dict(sorted(self.unknown_labels.items())),
        }

    def _tag_with(self, model: ModelVersion) -> None:
        self.models.append(model.name)
        known = frozenset(self.project.label_set.labels.filter(retired_at=None).values_list("code", flat=True))
        waiting = waiting_for(self.project, model)
        total, done, last = waiting.count(), 0, 0
        self.run.report(done=0, total=total, message=f"Loading {model.name}" if total else "Nothing waits to be tagged")
        while batch := list(waiting.filter(pk__gt=last).order_by("pk").only("pk", "text")[:BATCH]):
            self.run.check()
            tagged = engine.tag(model, [document.text for document in batch])
            self.run.check()
            self._write(batch, [self._known(spans, known) for spans in tagged], model)
            last, done = batch[-1].pk, done + len(batch)
            self.run.report(done=done, total=max(total, done), message=f"Tagging with {model.name}")

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
