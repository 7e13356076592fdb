"""Edits of panels: begin, end, merge and name them. Pure: no database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from annotator.review.editing.edit import Edit
from annotator.review.editing.effects import Effect
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import LegendState
from annotator.review.editing.panels import joined, marker_start

MAX_NAME: Final = 20


def set_panels(state: LegendState, edit: Edit) -> Effect:
    """Begin a panel at ``word``, or no longer; or begin panels exactly at ``starts``.

    With ``begin``, a panel that begins at ``word`` already stays.

    Or change the panel that begins at ``panel``: give it a ``name`` ("" for the printed one),
    ``merge`` it with the next, or ``remove`` its start.
    """
    current = {panel.start for panel in state.panels}
    names = dict(state.panel_names)
    if "panel" in edit.arguments:
        after = _changed_panel(state, edit.arguments, current, names)
    elif "starts" in edit.arguments:
        after = _read_starts(state, edit.arguments["starts"])
    else:
        after = _toggled_starts(state, edit.arguments, current)
    names = {start: name for start, name in names.items() if start in after}
    return Effect(
        panel_starts=None if set(after) == current else (state.panel_starts, after),
        panel_names=None if names == state.panel_names else (state.panel_names, names),
    )


def _changed_panel(
    state: LegendState, arguments: Mapping[str, Any], current: set[int], names: dict[int, str]
) -> tuple[int, ...]:
    """Return the starts after a change of one panel; its new name is put into ``names``."""
    starts = sorted(current)
    start = arguments["panel"]
    if type(start) is not int or start not in current:
        raise OperationError("No panel begins there. Reload the legend to see its panels.")
    at = starts.index(start)
    if arguments.get("merge"):
        if start == starts[-1]:
            raise OperationError("This is the last panel. Merge the one before it with this one.")
        markers = {panel.start: panel.marker for panel in state.panels}
        names[start] = joined(markers[start], markers[starts[at + 1]])[:MAX_NAME]
        del starts[at + 1]
    elif arguments.get("remove"):
        del starts[at]
    else:
        name = _read_name(arguments.get("name"))
        names.pop(start, None)
        if name:
            names[start] = name
    return tuple(starts)


def _read_name(raw: Any) -> str:
    name = " ".join(raw.split()) if isinstance(raw, str) else None
    if name is None or len(name) > MAX_NAME or (name and not any(map(str.isalnum, name))):
        raise OperationError(
            f"A panel's name is a letter or number, or several, of at most {MAX_NAME} characters."
        )
    return name


def _read_starts(state: LegendState, raw: Any) -> tuple[int, ...]:
    if not isinstance(raw, list):
        raise OperationError("Panels must begin inside the legend.")
    if any(type(at) is not int or not 0 <= at < len(state.text) for at in raw):
        raise OperationError("Panels must begin inside the legend.")
    return tuple(sorted(set(raw)))


def _toggled_starts(
    state: LegendState, arguments: Mapping[str, Any], current: set[int]
) -> tuple[int, ...]:
    word = arguments.get("word")
    if type(word) is not int or not 0 <= word < len(state.words):
        raise OperationError("The word where the panel should begin is not in this legend.")
    at = marker_start(state.text, state.words[word].start)
    here = set()
    for start in current:
        if start <= at and not state.text[start:at].strip():
            here.add(start)
    if not here:
        return tuple(sorted(current | {at}))
    if arguments.get("begin"):
        return tuple(sorted(current))
    return tuple(sorted(current - here))
