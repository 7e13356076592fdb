"""The state of a legend as a curator sees it: its text, entities and panels.

Pure: no database. Offsets are code points, half open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from annotator.corpus.decisions import ReviewMode, Rule, Verdict
from annotator.review.editing.errors import OperationError
from annotator.review.editing.panels import Panel, panels_at
from annotator.review.memory.rule import Proposal, ProposalKind
from ner_engine.text import Word, words

#: Keys of entities that a curator added begin so. Removing such an entity leaves nothing behind,
#: while a removed suggestion stays as rejected.
ADDED_PREFIX: Final = "add-"
#: A suggestion below this confidence has a dotted line.
LOW_CONFIDENCE: Final = 0.75

#: An entity as JSON, without its key.
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled span and what people decided about it.

    ``verdict`` is "" while nobody has decided. ``key`` survives every change.
    """

    key: str
    start: int
    end: int
    label: str
    role: str = ""
    score: float | None = None
    verdict: str = ""
    decision: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def status(self) -> str:
        """ "suggested", "decided" or "rejected"."""
        if not self.verdict:
            return "suggested"
        if self.is_rejected:
            return "rejected"
        return "decided"

    @property
    def is_accepted(self) -> bool:
        return self.verdict == Verdict.ACCEPTED

    @property
    def is_rejected(self) -> bool:
        return self.verdict == Verdict.REJECTED

    @property
    def is_low(self) -> bool:
        """Whether this is a suggestion of which the model itself was unsure."""
        return not self.verdict and self.score is not None and self.score < LOW_CONFIDENCE

    def overlaps(self, start: int, end: int) -> bool:
        return self.start < end and start < self.end

    def as_row(self) -> Row:
        """Return the entity as JSON, without its key."""
        return {
            "start": self.start,
            "end": self.end,
            "label": self.label,
            "role": self.role,
            "score": self.score,
            "verdict": self.verdict,
            "decision": self.decision,
            "attributes": dict(self.attributes),
        }


@dataclass(frozen=True)
class LegendState:
    """A legend at one revision.

    ``decided`` holds the accepted and rejected entities by key, ``suggested`` the current
    suggestions, decided or not. ``imported_panels`` came with the file; ``panel_starts`` replaces
    them once somebody changed them, ``panel_names`` are the names that curators gave, by start.
    ``labels`` are all labels that may be set, ``role_labels`` those whose entities may be
    controlled or measured variables. ``suggested_by`` names the model of the suggestions,
    ``provenance`` the models behind panels and roles. ``suggestions`` is the id of the layer of
    suggestions, 0 if none are shown. ``mode`` and ``threshold`` are the project's: they say what
    becomes of undecided suggestions when the legend is accepted. ``is_calibrated`` says that the
    scores of the suggestions are probabilities. ``identifier_labels`` are the labels whose entities
    then need an identifier. ``remembered`` holds what the project's memory proposes for
    suggestions, by their key; also for decided ones, which an undo may open again.
    """

    text: str
    decided: Mapping[str, Entity]
    suggested: Mapping[str, Entity]
    labels: frozenset[str]
    role_labels: frozenset[str] = frozenset()
    imported_panels: tuple[Panel, ...] = ()
    panel_starts: tuple[int, ...] | None = None
    panel_names: Mapping[int, str] = field(default_factory=dict)
    accepted: bool = False
    revision: int = 0
    suggested_by: str = ""
    provenance: str = ""
    suggestions: int = 0
    mode: str = str(ReviewMode.SWEEP)
    threshold: float = 0.0
    is_calibrated: bool = False
    identifier_labels: frozenset[str] = frozenset()
    remembered: Mapping[str, Proposal] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        """The project's rule in the words that fit these suggestions."""
        return Rule(self.threshold, self.is_calibrated)

    @cached_property
    def words(self) -> list[Word]:
        return words(self.text)

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """The panels in order: the imported ones, or those that begin at ``panel_starts``."""
        if self.panel_starts is not None:
            return panels_at(self.text, self.panel_starts, self.imported_panels, self.panel_names)
        panels = []
        for panel in self.imported_panels:
            panels.append(replace(panel, marker=self.panel_names.get(panel.start, panel.marker)))
        return tuple(panels)

    @cached_property
    def accepted_entities(self) -> list[Entity]:
        """The accepted entities in reading order."""
        accepted = []
        for entity in self.decided.values():
            if entity.is_accepted:
                accepted.append(entity)
        return sorted(accepted, key=_reading_order)

    @cached_property
    def rejected(self) -> list[Entity]:
        """The rejected entities in reading order."""
        rejected = []
        for entity in self.decided.values():
            if entity.is_rejected:
                rejected.append(entity)
        return sorted(rejected, key=_reading_order)

    @cached_property
    def entities(self) -> list[Entity]:
        """Accepted and undecided entities in reading order, the outer of two nested ones first."""
        return sorted([*self.accepted_entities, *self.undecided.values()], key=_reading_order)

    @cached_property
    def undecided(self) -> dict[str, Entity]:
        """Suggestions that are still open, by key.

        A decision beats a suggestion. So a suggestion is withdrawn if it shares characters with an
        accepted entity, unless the two were suggested together, one within the other. It is
        withdrawn too if it repeats a rejected entity.
        """
        covered = bytearray(len(self.text))
        for entity in self.accepted_entities:
            covered[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
        rejected = {(each.start, each.end, each.label) for each in self.rejected}
        undecided = {}
        for key, entity in self.suggested.items():
            if key in self.decided or (entity.start, entity.end, entity.label) in rejected:
                continue
            if 1 in covered[entity.start : entity.end] and self._is_withdrawn(entity):
                continue
            undecided[key] = entity
        return undecided

    def _is_withdrawn(self, suggestion: Entity) -> bool:
        return any(self._withdraws(decided, suggestion) for decided in self.accepted_entities)

    def _withdraws(self, decided: Entity, suggestion: Entity) -> bool:
        if not decided.overlaps(suggestion.start, suggestion.end):
            return False
        origin = self.suggested.get(decided.key)
        together = origin is not None and origin.overlaps(suggestion.start, suggestion.end)
        return not together or (decided.start, decided.end) == (suggestion.start, suggestion.end)

    def proposal(self, entity: Entity) -> Proposal | None:
        """Return what the project's memory proposes for an open suggestion.

        None for a decided one, and in an accepted legend. Keeping the same string with the same
        label once in this legend silences the memory here, but not a manager.
        """
        proposal = self.remembered.get(entity.key)
        if self.accepted or entity.verdict or proposal is None:
            return None
        if not proposal.by_hand and (self.surface(entity), entity.label) in self._kept_here:
            return None
        return proposal

    @cached_property
    def _kept_here(self) -> set[tuple[str, str]]:
        return {(self.surface(each), each.label) for each in self.accepted_entities}

    def as_shown(self, keys: Iterable[str]) -> LegendState:
        """Return the legend as a page showed it: the memory speaks against these suggestions."""
        # Nothing that was decided since silences what the page showed.
        shown = Proposal(ProposalKind.REJECT, by_hand=True)
        return replace(self, remembered=dict.fromkeys(keys, shown))

    def is_below(self, entity: Entity) -> bool:
        """Whether an undecided suggestion is not accepted together with the legend.

        It lies below the threshold, or the project's memory speaks against it. A suggestion
        without a score came from a file. It counts as below only in a project where each entity
        needs a decision.
        """
        if entity.verdict:
            return False
        if self.proposal(entity):
            return True
        if entity.score is None:
            return self.mode == ReviewMode.DECIDE
        return entity.score < self.threshold

    def is_left_out(self, entity: Entity) -> bool:
        """Whether accepting the legend now rejects the suggestion."""
        return self.mode != ReviewMode.DECIDE and self.is_below(entity)

    def is_low(self, entity: Entity) -> bool:
        """Whether a suggestion has a dotted line: the model was unsure, or it is below."""
        return entity.is_low or self.is_below(entity)

    def surface(self, entity: Entity) -> str:
        return self.text[entity.start : entity.end]

    def entity(self, key: str) -> Entity:
        """Return the entity of that key, decided or not.

        Raises ``OperationError`` if the legend has none.
        """
        entity = self.decided.get(key) or self.undecided.get(key) or self.suggested.get(key)
        if entity is None:
            raise OperationError(
                "This entity is no longer in the legend. Reload the legend to see how it stands."
            )
        return entity

    def occurrences(self, surface: str) -> Iterator[tuple[int, int]]:
        """Yield the (start, end) of each occurrence as whole words, in order, without overlaps."""
        at = self.text.find(surface)
        while at >= 0:
            end = at + len(surface)
            if self._has_word_boundaries(at, end):
                yield at, end
                at = self.text.find(surface, end)
            else:
                at = self.text.find(surface, at + 1)

    def _has_word_boundaries(self, start: int, end: int) -> bool:
        text = self.text
        cuts_left = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
        cuts_right = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
        return not cuts_left and not cuts_right


def _reading_order(entity: Entity) -> tuple[int, int, str]:
    return entity.start, -entity.end, entity.key
