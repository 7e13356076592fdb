"""Practice without a document: the legend is made in memory, and its log lives in the session.

Nothing is stored with the project, so nothing of it can be exported, counted or learnt from.
Edits are those of every legend (``annotator.review.editing.operations``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotator.common.errors import UserError
from annotator.corpus.labels import DEFAULT_LABELS
from annotator.corpus.models import Document, Label, Project
from annotator.review.editing import operations
from annotator.review.editing.edit import Edit, read_edit
from annotator.review.editing.effects import Effect, replay
from annotator.review.editing.history import Logged, can_reverse
from annotator.review.editing.legend import LegendState
from annotator.review.editing.operations import EditContext, Legend
from annotator.review.editing.services import Outcome
from annotator.review.kinds import OperationKind
from annotator.review.models import Operation
from annotator.review.practice.legend import CODES, NAME, TEXT, panels, suggested_entities

#: The id that stands for the one layer of suggestions; 0 would say that there is none.
SUGGESTIONS: Final = 1
#: More edits than a practice takes, and more characters than the arguments of one have. The session
#: keeps all of them, so it must stay small whatever is sent.
MAX_EDITS: Final = 200
MAX_ARGUMENTS: Final = 1000

#: A row of the log as the session keeps it.
Row = Mapping[str, Any]


class StalePracticeError(UserError):
    """The edit was made on an older revision, in another window."""


@dataclass(frozen=True, slots=True)
class Practice:
    """The practice legend of one user in one project, after the edits in its log."""

    project: Project
    labels: Sequence[Label]
    actor_id: int
    log: Sequence[Row]

    @property
    def document(self) -> Document:
        """Return a row that is never saved."""
        return Document(project=self.project, figure_label=NAME, external_id="practice", text=TEXT)

    @property
    def state(self) -> LegendState:
        effects = []
        for row in self.log:
            effects.append(Effect.from_json(row["effect"]))
        return replay(_first_state(self.project, self.labels), effects)

    @property
    def history(self) -> dict[str, bool]:
        return can_reverse(self._logged(), self.actor_id)

    def _logged(self) -> list[Logged]:
        rows = []
        for row in self.log:
            rows.append(Logged(row["id"], row["kind"], self.actor_id, effect=row["effect"]))
        return rows

    def apply(self, operation: Mapping[str, Any]) -> tuple[Outcome, Row | None]:
        """Make one edit exactly once; return its outcome and the row that the log gets, if any.

        Raises ``OperationError``, ``StalePracticeError``, and ``UserError`` for an edit that
        practice does not have, or after too many.
        """
        edit, before = read_edit(operation), self.state
        _check(edit)
        for row in self.log:
            if row["id"] == edit.id:
                return self._outcome(edit, row, before, before, repeated=True), None
        if edit.base_revision != before.revision:
            raise StalePracticeError("The practice legend was changed in another window.")
        if len(self.log) >= MAX_EDITS:
            raise UserError("This practice has taken too many edits. Start again.")
        legend = Legend(0, before, self._logged())
        change = operations.apply(EditContext(legend=legend, actor_id=self.actor_id), edit).own
        new = {
            "id": edit.id,
            "kind": edit.kind,
            "arguments": dict(change.arguments),
            "effect": change.effect.as_json(),
        }
        after = Practice(self.project, self.labels, self.actor_id, [*self.log, new])
        outcome = after._outcome(edit, new, before, after.state)
        return outcome, new

    def _outcome(
        self, edit: Edit, row: Row, before: LegendState, state: LegendState, repeated: bool = False
    ) -> Outcome:
        revision = [each["id"] for each in self.log].index(row["id"]) + 1
        operation = Operation(
            id=edit.operation_id, kind=row["kind"], arguments=row["arguments"], revision=revision
        )
        return Outcome(
            operation,
            revision,
            Effect.from_json(row["effect"]),
            before,
            state,
            self.document,
            repeated=repeated,
            labels=self.labels,
            history=self.history,
        )


def _check(edit: Edit) -> None:
    """Raise ``UserError`` if practice does not have such edits."""
    if edit.kind == OperationKind.SET_IDENTIFIERS:
        raise UserError(
            "The practice legend takes no identifiers. Mark entities, labels and roles."
        )
    if edit.is_for_the_paper:
        raise UserError(
            "The practice legend is the only one of its paper. Press R to repeat the edit in it."
        )
    if len(json.dumps(edit.arguments)) > MAX_ARGUMENTS:
        raise UserError(f"An edit in practice takes at most {MAX_ARGUMENTS:,} characters.")


def practice_labels(project: Project) -> list[Label]:
    """Return the project's labels, or those of sd-nlp where the legend needs others."""
    own = [label for label in project.label_set.labels.all() if label.retired_at is None]
    if {label.code for label in own} >= CODES:
        return own
    labels = []
    for number, seed in enumerate(DEFAULT_LABELS, start=1):
        facts = {**seed._asdict(), "key": str(number), "guideline": seed.guideline}
        labels.append(Label(**facts))
    return labels


def _first_state(project: Project, labels: Sequence[Label]) -> LegendState:
    return LegendState(
        text=TEXT,
        decided={},
        suggested=suggested_entities(),
        suggestions=SUGGESTIONS,
        labels=frozenset(label.code for label in labels),
        role_labels=frozenset(label.code for label in labels if label.takes_role),
        imported_panels=panels(),
        suggested_by="practice",
        mode=project.review_mode,
        threshold=project.threshold,
    )
