"""The comparison of two versions of a legend: entities added, lost, moved and relabelled."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import trigger_client_event

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import wants_part
from annotator.corpus.access import Action
from annotator.corpus.models import Document, Label
from annotator.review.access import legend_for
from annotator.review.editing.compare import Change, Difference, paired
from annotator.review.editing.conflicts import LeaseError, StaleRevisionError
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.reading import legend_state
from annotator.review.editing.versions import Version, pair_to_compare, sides, take, versions
from annotator.review.screen.roles import ROLE_NAMES, ROLE_SIGNS
from ner_engine.align import Labelled
from ner_engine.scoring.metrics import Score, score

Sign = tuple[str, str]
#: A sign and words for each change, so that nothing is shown by colour alone.
SIGNS: Final[Mapping[Change, Sign]] = {
    Change.ADDED: ("+", "added"),
    Change.LOST: ("−", "lost"),
    Change.MOVED: ("↔", "moved"),
    Change.RELABELLED: ("≠", "relabelled"),
    Change.ROLE: ("~", "other role"),
    Change.SAME: ("=", "the same"),
}
#: A suggestion that nobody decided yet is not lost.
UNDECIDED: Final[Sign] = ("?", "not decided yet")
AROUND: Final = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One difference as it is shown, with the text before and after it (``context``).

    ``key`` names the entity that can be taken over.
    """

    sign: str
    words: str
    surface: str
    before: str
    after: str
    context: tuple[str, str]
    key: str
    operation_id: uuid.UUID


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def compare_versions(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show the comparison; a POST takes over one entity from the version beside the decided one."""
    document = legend_for(
        request.user, slug, document_id, Action.REVIEW if request.method == "POST" else Action.VIEW
    )
    problem, status, revision = "", 200, 0
    if request.method == "POST":
        try:
            revision = _take_over(request, document)
        except UserError as error:
            problem, status = (
                str(error),
                (409 if isinstance(error, StaleRevisionError | LeaseError) else 422),
            )
        if not problem and not wants_part(request):
            return redirect(request.get_full_path())
        document.refresh_from_db(fields=["revision", "state"])
    context = {**_context(request, document), "problem": problem, "is_taken": bool(revision)}
    response = render(
        request,
        "review/_compare.html" if wants_part(request) else "review/compare.html",
        context,
        status=status,
    )
    if revision:
        return trigger_client_event(response, "legend-changed", {"revision": revision})
    return response


def _take_over(request: HttpRequest, document: Document) -> int:
    """Take over the entity that the form names; return the new revision."""
    fields = request.POST
    base = fields.get("base_revision", "")
    if not (base.isascii() and base.isdecimal() and len(base) < 10 and fields.get("take")):
        raise UserError("The entity to take is not named. Reload the comparison.")
    names = {
        "old": request.GET.get("old", ""),
        "new": request.GET.get("new", ""),
        "entity": fields["take"],
    }
    outcome = take(
        document=document,
        actor=signed_in(request),
        base_revision=int(base),
        operation_id=fields.get("id", ""),
        **names,
    )
    return outcome.revision


def _context(request: HttpRequest, document: Document) -> dict[str, Any]:
    state = legend_state(document)
    found = versions(document, state)
    chosen = pair_to_compare(found, request.GET.get("old", ""), request.GET.get("new", ""))
    context: dict[str, Any] = {
        "project": document.project,
        "document": document,
        "versions": found,
        "chosen": chosen,
    }
    if chosen is None:
        return context
    old, new = chosen
    labels = document.project.label_set.by_code()
    may_edit = Action.REVIEW in document.project.allowed and not state.accepted
    show = _Show(state.text, labels, chosen, may_edit)
    signed, lines, open_lines = [], [], []
    for pair in paired(old.entities, new.entities):
        sign = _sign(pair, chosen, state)
        signed.append((pair, sign))
        if sign == UNDECIDED:
            open_lines.append(show.line(pair, sign))
        elif sign != SIGNS[Change.SAME]:
            lines.append(show.line(pair, sign))
    return context | {
        "lines": lines,
        "open_lines": open_lines,
        "tally": _tally(sign for _, sign in signed),
        "pieces": _pieces(state.text, signed, labels),
        "agreement": _agreement(signed) if old.entities and new.entities else None,
        "query": urlencode({"old": old.key, "new": new.key}),
        "may_edit": may_edit,
    }


def _sign(pair: Difference, chosen: tuple[Version, Version], state: LegendState) -> Sign:
    """Return the sign of the change; an entity that nobody decided yet has a sign of its own."""
    mine, theirs = sides(pair, *chosen)
    if mine is None and theirs is not None and theirs.key in state.undecided:
        return UNDECIDED
    return SIGNS[pair.change]


def _tally(signs: Iterable[Sign]) -> list[tuple[str, str, int]]:
    found = Counter(signs)
    order = [
        *(SIGNS[change] for change in Change if change != Change.SAME),
        UNDECIDED,
        SIGNS[Change.SAME],
    ]
    return [(*sign, found[sign]) for sign in order if found[sign]]


def _agreement(signed: Iterable[tuple[Difference, Sign]]) -> Score:
    """Score the older version against the newer one, without entities that nobody decided."""
    pairs = [pair for pair, sign in signed if sign != UNDECIDED]
    return score([_ranges(pair.new for pair in pairs)], [_ranges(pair.old for pair in pairs)]).micro


def _ranges(entities: Iterable[Entity | None]) -> list[Labelled]:
    ranges = []
    for entity in entities:
        if entity is not None:
            ranges.append(Labelled(entity.start, entity.end, entity.label))
    return ranges


@dataclass(frozen=True, slots=True)
class _Show:
    """Renders lines; ``may_take`` says that the user may edit the legend."""

    text: str
    labels: Mapping[str, Label]
    chosen: tuple[Version, Version]
    may_take: bool

    def line(self, pair: Difference, sign: Sign) -> Line:
        start, end, text = pair.start, pair.end, self.text
        theirs = None
        if self.may_take:
            theirs = sides(pair, *self.chosen)[1]
        before, after = (_said(entity, text, self.labels) for entity in (pair.old, pair.new))
        left, right = text[max(0, start - AROUND) : start], text[end : end + AROUND]
        around = (
            f"{'…' if start > AROUND else ''}{left}",
            f"{right}{'…' if end + AROUND < len(text) else ''}",
        )
        return Line(
            *sign,
            text[start:end],
            before,
            after,
            around,
            theirs.key if theirs else "",
            uuid.uuid4(),
        )


def _said(entity: Entity | None, text: str, labels: Mapping[str, Label]) -> str:
    if entity is None:
        return ""
    name = entity.label or "no label"
    if entity.label in labels:
        name = labels[entity.label].name
    role = ""
    if entity.role in ROLE_NAMES:
        role = f", {ROLE_NAMES[entity.role]}"
    return f"“{text[entity.start : entity.end]}” {name.lower()}{role}"


def _pieces(
    text: str, signed: Iterable[tuple[Difference, Sign]], labels: Mapping[str, Label]
) -> list[tuple[str, str, str]]:
    """Return the text in pieces: (text, which versions mark it, signs of what begins here).

    The second is "" for none, "both" if both mark it alike, "changed" if they differ, "old" or
    "new" if only one does, and "open" if nobody decided it yet.
    """
    # How many more marks of each kind there are from here on.
    steps: dict[int, Counter[str]] = {0: Counter(), len(text): Counter()}
    signs: dict[int, list[str]] = {}
    for pair, (sign, _) in signed:
        is_same = pair.change == Change.SAME
        own = "open" if sign == UNDECIDED[0] else "both" if is_same else ""
        for side, entity in (("old", pair.old), ("new", pair.new)):
            if entity is not None:
                steps.setdefault(entity.start, Counter())[own or side] += 1
                steps.setdefault(entity.end, Counter())[own or side] -= 1
        letters = "→".join(_letters((pair.old, pair.new), labels))
        signs.setdefault(pair.start, []).append(letters if is_same else sign + letters)
    pieces, over = [], Counter[str]()
    for start, end in pairwise(sorted(steps)):
        over.update(steps[start])
        if over["old"] and over["new"]:
            kind = "changed"
        else:
            kind = next((name for name in ("old", "new", "open", "both") if over[name]), "")
        pieces.append((text[start:end], kind, " ".join(signs.get(start, ()))))
    return pieces


def _letters(entities: Iterable[Entity | None], labels: Mapping[str, Label]) -> list[str]:
    """Return the label's letters and the role's sign of each entity, without repetition."""
    shown = [entity for entity in entities if entity is not None]
    letters = []
    for entity in shown:
        label = labels.get(entity.label)
        short = label.short if label else "··"
        letters.append(short + ROLE_SIGNS.get(entity.role, ""))
    return list(dict.fromkeys(letters))
