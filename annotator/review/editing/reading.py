"""Legends read from the database: as they are now, and as they began."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from annotator.corpus.decisions import DecisionKind, Verdict
from annotator.corpus.models import (
    Document,
    DocumentState,
    Label,
    Layer,
    LayerKind,
    Segment,
    Span,
)
from annotator.review.editing.effects import Effect, read_names, replay
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import Panel
from annotator.review.memory.counting import proposals_for
from annotator.review.memory.rule import Proposal, ProposalKind, moved_range
from annotator.review.models import Operation

Entities = Mapping[str, Entity]

_COLUMNS: Final = (
    "key",
    "start",
    "end",
    "label",
    "role",
    "score",
    "verdict",
    "decision",
    "attributes",
)


@dataclass(frozen=True, slots=True)
class ReadLegend:
    """The state of a legend, with the id of its decided layer if it has one."""

    state: LegendState
    decided_layer: int | None


def legend_state(document: Document, *, labels: Sequence[Label] | None = None) -> LegendState:
    """Return the legend as it is now. Five queries at most, four if the labels are given."""
    used = list(document.project.label_set.labels.all()) if labels is None else labels
    return read_legends([document], used)[document.pk].state


def read_legends(documents: Sequence[Document], labels: Iterable[Label]) -> dict[int, ReadLegend]:
    """Return legends of one project by id. Four queries, however many legends there are.

    The decided entities are those of the decided layer, or of the imported one until the first
    edit. A blind legend is returned without suggestions. The project's memory is read for the
    strings of all suggestions, decided or not: undo opens them again.
    """
    used = list(labels)
    codes = _Codes.of(used)
    ids = [document.pk for document in documents]
    layers: defaultdict[int, dict[str, Layer]] = defaultdict(dict)
    for layer in Layer.objects.current().filter(document__in=ids):
        layers[layer.document_id][layer.kind] = layer
    entities = entities_of_layers(*_shown_layers(layers.values()))
    panels = _imported_panels(ids)
    legends = {}
    for document in documents:
        own = _Layers(layers[document.pk], entities)
        state = own.state(document, panels.get(document.pk, ()), codes)
        legends[document.pk] = ReadLegend(state, own.decided_layer)
    return _with_memory(documents, legends, {label.code: label.name for label in used})


def _with_memory(
    documents: Sequence[Document], legends: Mapping[int, ReadLegend], names: Mapping[str, str]
) -> dict[int, ReadLegend]:
    """Return the legends with what the project's memory proposes for their suggestions."""
    surfaces: set[str] = set()
    for read in legends.values():
        surfaces |= {read.state.surface(each) for each in read.state.suggested.values()}
    known = proposals_for(documents[0].project_id, surfaces) if surfaces else {}
    remembered = {}
    for pk, read in legends.items():
        proposals = _proposals(read.state, known, names)
        remembered[pk] = read
        if proposals:
            remembered[pk] = replace(read, state=replace(read.state, remembered=proposals))
    return remembered


def _proposals(
    state: LegendState, known: Mapping[tuple[str, str], Proposal], names: Mapping[str, str]
) -> dict[str, Proposal]:
    """Return the proposals by the key of the suggestion, if they can be followed here."""
    found: dict[str, Proposal] = {}
    for entity in state.suggested.values():
        proposal = known.get((state.surface(entity), entity.label))
        if proposal and _can_follow(state, entity, proposal):
            found[entity.key] = replace(proposal, name=names.get(proposal.value, ""))
    return found


def _can_follow(state: LegendState, entity: Entity, proposal: Proposal) -> bool:
    if proposal.kind == ProposalKind.RELABEL:
        return proposal.value in state.labels
    if proposal.kind == ProposalKind.MOVE:
        return moved_range(state.text, entity.start, entity.end, proposal.value) is not None
    return True


@dataclass(frozen=True, slots=True)
class _Codes:
    """The labels that may be set, and those that may have any role."""

    labels: frozenset[str]
    role_labels: frozenset[str]

    @classmethod
    def of(cls, labels: Iterable[Label]) -> _Codes:
        used = list(labels)
        return cls(
            frozenset(label.code for label in used if label.retired_at is None),
            frozenset(label.code for label in used if label.takes_role),
        )


def _shown_layers(layers: Iterable[Mapping[str, Layer]]) -> list[Layer]:
    """Return the layers whose spans are needed; the imported one only until the first edit."""
    shown = []
    for by_kind in layers:
        base = by_kind.get(LayerKind.DECIDED) or by_kind.get(LayerKind.IMPORTED)
        suggested = by_kind.get(LayerKind.SUGGESTED)
        shown += [layer for layer in (base, suggested) if layer]
    return shown


@dataclass(frozen=True, slots=True)
class _Layers:
    """The current layers of one legend by kind, and the entities of all layers by id."""

    by_kind: Mapping[str, Layer]
    entities: Mapping[int, Entities]

    @property
    def decided_layer(self) -> int | None:
        layer = self.by_kind.get(LayerKind.DECIDED)
        if layer:
            return layer.pk
        return None

    def state(self, document: Document, panels: tuple[Panel, ...], codes: _Codes) -> LegendState:
        suggested = self.by_kind.get(LayerKind.SUGGESTED)
        shown = None if document.is_blind else suggested
        return LegendState(
            text=document.text,
            decided=self._decided(),
            suggested=self._of(shown),
            suggestions=shown.pk if shown else 0,
            labels=codes.labels,
            role_labels=codes.role_labels,
            imported_panels=panels,
            panel_starts=self._panel_starts(),
            panel_names=self._panel_names(),
            accepted=document.state == DocumentState.ACCEPTED,
            revision=document.revision,
            suggested_by=suggested.source if suggested else "",
            provenance=suggested.provenance if suggested else "",
            mode=document.project.review_mode,
            threshold=document.project.threshold,
            is_calibrated=suggested is not None and suggested.is_calibrated,
            identifier_labels=frozenset(document.project.identifier_labels),
        )

    def _of(self, layer: Layer | None) -> Entities:
        if layer:
            return self.entities.get(layer.pk, {})
        return {}

    def _decided(self) -> Entities:
        if LayerKind.DECIDED in self.by_kind:
            return self._of(self.by_kind[LayerKind.DECIDED])
        return _as_imported(self._of(self.by_kind.get(LayerKind.IMPORTED)))

    def _panel_starts(self) -> tuple[int, ...] | None:
        layer = self.by_kind.get(LayerKind.DECIDED)
        if layer is None or layer.panel_starts is None:
            return None
        return tuple(layer.panel_starts)

    def _panel_names(self) -> dict[int, str]:
        layer = self.by_kind.get(LayerKind.DECIDED)
        return read_names(layer.panel_names) if layer else {}


def entities_of_layers(*layers: Layer) -> dict[int, dict[str, Entity]]:
    """Return the entities of the layers, by the layer's id and their key. One query."""
    entities: dict[int, dict[str, Entity]] = {}
    wanted = [layer.pk for layer in layers]
    spans = Span.objects.filter(layer_id__in=wanted).order_by()
    for layer_id, *row in spans.values_list("layer_id", *_COLUMNS):
        entity = Entity(*row)
        entities.setdefault(layer_id, {})[entity.key] = entity
    return entities


def _as_imported(entities: Entities) -> dict[str, Entity]:
    accepted, imported = str(Verdict.ACCEPTED), str(DecisionKind.IMPORTED)
    accepted_entities = {}
    for key, entity in entities.items():
        accepted_entities[key] = replace(entity, verdict=accepted, decision=imported)
    return accepted_entities


def _imported_panels(documents: Sequence[int]) -> dict[int, tuple[Panel, ...]]:
    rows: defaultdict[int, list[Panel]] = defaultdict(list)
    segments = Segment.objects.filter(document__in=documents).order_by("document", "position")
    for document, start, end, marker in segments.values_list("document", "start", "end", "marker"):
        rows[document].append(Panel(len(rows[document]), start, end, marker))
    return {document: tuple(panels) for document, panels in rows.items()}


def first_state(document: Document, now: LegendState) -> LegendState:
    """Return the legend before its first operation."""
    layer = document.layers.current().filter(kind=LayerKind.IMPORTED).first()
    imported = {}
    if layer:
        imported = entities_of_layers(layer).get(layer.pk, {})
    return LegendState(
        text=document.text,
        decided=_as_imported(imported),
        suggested=now.suggested,
        labels=now.labels,
        role_labels=now.role_labels,
        imported_panels=now.imported_panels,
    )


def rebuilt_state(document: Document) -> LegendState:
    """Return the legend built from its first state and its log alone.

    It equals ``legend_state`` unless rows were tampered with.
    """
    log = Operation.objects.filter(document=document).order_by("revision")
    effects = []
    for stored in log.values_list("effect", flat=True):
        effects.append(Effect.from_json(stored))
    return replay(first_state(document, legend_state(document)), effects)
