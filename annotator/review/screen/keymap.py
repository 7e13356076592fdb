"""The key bindings of the review screen.

From here keys are dispatched, hints and help are printed, and a user's own keys are checked.

No command needs AltGr. A user's own keys replace the defaults of a command; a command without
keys is switched off.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from annotator.common.errors import UserError


@dataclass(frozen=True, slots=True)
class Command:
    """The command of one or more keys.

    ``hint`` is its word at the foot of the page in these ``modes``, beside the keys of ``partner``.
    """

    name: str
    keys: tuple[str, ...]
    says: str
    group: str
    hint: str = ""
    partner: str = ""
    modes: tuple[str, ...] = ("open",)

    @property
    def tool(self) -> str:
        """The words of its button above the text, "" if it has none there."""
        return TOOLS.get(self.name, "")

    @property
    def caps(self) -> list[str]:
        """The keys as they are printed; a series of digits by its ends."""
        if len(self.keys) > 3 and all(len(key) == 1 and key.isdigit() for key in self.keys):
            return [f"{self.keys[0]} – {self.keys[-1]}"]
        return [written(key) for key in self.keys]


COMMANDS: Final = (
    Command("nextOpen", ("N",), "next that needs a decision", "Go", hint="next open"),
    Command("previousOpen", ("Shift+N",), "previous that needs a decision", "Go"),
    Command("next", ("ArrowRight",), "next entity", "Go"),
    Command(
        "previous",
        ("ArrowLeft",),
        "previous entity",
        "Go",
        hint="entity",
        partner="next",
        modes=("closed",),
    ),
    Command(
        "jump",
        ("/",),
        "find a word or an entity by typing; Enter goes there, Alt with a key edits it, Escape"
        " returns",
        "Go",
        hint="find",
        modes=("open", "closed"),
    ),
    Command("nextPanel", ("ArrowDown",), "next panel", "Go"),
    Command(
        "previousPanel",
        ("ArrowUp",),
        "previous panel",
        "Go",
        hint="panel",
        partner="nextPanel",
        modes=("closed",),
    ),
    Command(
        "accept",
        ("Space",),
        "accept, go to the next that needs a decision",
        "Decide",
        hint="accept",
    ),
    Command("reject", ("X", "Delete"), "reject or remove, go to the next", "Decide", hint="reject"),
    Command("rejectPanel", ("Shift+X",), "reject every suggestion of this panel", "Decide"),
    Command(
        "takeMemory",
        ("J",),
        "do what the project’s memory proposes, go to the next that needs a decision",
        "Decide",
    ),
    Command(
        "label",
        ("1", "2", "3", "4", "5", "6", "7", "8", "9"),
        "set the label; on selected words: add",
        "Decide",
        hint="label",
    ),
    Command(
        "sameEverywhere",
        ("R",),
        "the same for this string in the legend (its label; after a rejection or new boundaries:"
        " those): preview; again: apply",
        "Decide",
        hint="same everywhere",
    ),
    Command(
        "sameInPaper",
        ("Shift+R",),
        "the same in every legend of this paper: preview; again: apply",
        "Decide",
    ),
    Command(
        "sameInPanel",
        ("W",),
        "copy label and role to the same string in this panel: preview; again: apply",
        "Decide",
    ),
    Command("controlled", ("C",), "controlled variable, or no longer", "Roles"),
    Command("measured", ("M",), "measured variable, or no longer", "Roles"),
    Command("context", ("B",), "context (boring), or no longer", "Roles"),
    Command(
        "startLeft",
        ("A", "Shift+A"),
        "start one word to the left (with Shift: one character)",
        "Boundaries",
        hint="start",
        partner="startRight",
    ),
    Command("startRight", ("S", "Shift+S"), "start one word to the right", "Boundaries"),
    Command(
        "endLeft",
        ("D", "Shift+D"),
        "end one word to the left",
        "Boundaries",
        hint="end",
        partner="endRight",
    ),
    Command("endRight", ("F", "Shift+F"), "end one word to the right", "Boundaries"),
    Command(
        "insert",
        ("I",),
        "type a missed word: Tab goes to the next match, Alt with a digit labels it; Enter"
        " selects it",
        "Add",
        hint="insert",
    ),
    Command(
        "cursor",
        ("E",),
        "word cursor: arrows move, Shift+arrows select, a digit labels",
        "Add",
        hint="select words",
    ),
    Command("panelStart", ("P",), "a panel starts here, or no longer does", "Add", hint="panel"),
    Command("panelMenu", ("Shift+P",), "rename, split, merge or remove this panel", "Add"),
    Command(
        "identifiers",
        ("O",),
        "identifiers: 1–5 or Enter takes a candidate, letters search",
        "Look",
        hint="identifier",
    ),
    Command("takeIdentifier", ("T",), "take the first identifier candidate", "Look"),
    Command(
        "compare",
        ("V",),
        "compare versions: models, earlier decisions",
        "Look",
        hint="versions",
        modes=("open", "closed"),
    ),
    Command("figure", ("H",), "the figure at half of the screen, or beside the card again", "Look"),
    Command("guideline", ("G",), "the guideline of this label", "Look"),
    Command("comment", ("Q",), "comment or flag", "Look"),
    Command("unsure", ("U",), "unsure: ask the reviewer, or no longer", "Look"),
    Command(
        "undo",
        ("Z", "Ctrl+Z"),
        "undo; before your first edit of a legend: reopen the last one you accepted",
        "Legend",
        hint="undo",
        modes=("open", "closed"),
    ),
    Command("redo", ("Y", "Ctrl+Shift+Z", "Ctrl+Y"), "redo", "Legend"),
    Command("acceptLegend", ("Enter",), "accept the legend and open the next", "Legend"),
    Command("acceptAndStay", ("Shift+Enter",), "accept the legend and stay", "Legend"),
    Command("back", ("Backspace",), "back to the legend before", "Legend"),
    Command("help", ("?",), "all keys", "Legend"),
    Command("escape", ("Escape",), "close, drop the selection", "Legend"),
)


def _offer(says: str) -> Sequence[tuple[tuple[str, ...], str]]:
    return (
        (("sameEverywhere",), says),
        (("sameInPaper",), "in the whole paper"),
        (("Escape",), "leave them"),
        (("acceptLegend",), "accept the legend"),
    )


#: What the foot says in the other modes: keys (or commands whose keys they are) and words.
_WHILE: Final[Mapping[str, Sequence[tuple[tuple[str, ...], str]]]] = {
    "selected": ((("label",), "add"), (("Escape",), "drop the selection")),
    "cursor": (
        (("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"), "move"),
        (("Shift+ArrowRight",), "select"),
        (("label",), "add"),
        (("panelStart",), "panel"),
        (("Escape",), "leave"),
    ),
    "typing": (
        (("Tab",), "next match"),
        (("Alt", "label"), "add"),
        (("Enter",), "select"),
        (("Escape",), "leave"),
    ),
    "jumping": (
        (("Tab",), "next match"),
        (("Enter",), "go there"),
        (("Alt", "label"), "label"),
        (("Alt", "reject"), "reject …"),
        (("Escape",), "return"),
    ),
    "offer propagate": _offer("label these too"),
    "offer reject_same": _offer("reject these too"),
    "offer move_same": _offer("move these too"),
    "preview": ((("sameEverywhere",), "or"), (("Enter",), "apply"), (("Escape",), "cancel")),
}
#: The buttons above the text, by command: those that have no other button on the page.
TOOLS: Final[Mapping[str, str]] = {
    "jump": "Find",
    "insert": "Insert",
    "cursor": "Select words",
    "figure": "Figure",
    "previousOpen": "Previous open",
    "nextOpen": "Next open",
    "previousPanel": "Panel up",
    "nextPanel": "Panel down",
    "sameInPaper": "Same in paper",
    "acceptAndStay": "Accept and stay",
    "back": "Back",
}
_NAMES: Final = {
    "ArrowLeft": "←",
    "ArrowRight": "→",
    "ArrowUp": "↑",
    "ArrowDown": "↓",
    "Escape": "Esc",
    "Backspace": "⌫",
}
_NAMED: Final = (
    "Space",
    "Enter",
    "Tab",
    "Delete",
    "Insert",
    "Home",
    "End",
    "PageUp",
    "PageDown",
    *_NAMES,
)
_KEY: Final = re.compile(rf"(Ctrl\+)?(Shift\+)?({'|'.join(_NAMED)}|F[1-9][0-2]?|[!-~])")
MAX_KEYS: Final = 9


def _with_own_keys(
    command: Command, own: Mapping[str, Sequence[str]], taken: Collection[str]
) -> Command:
    """Return the command with the user's keys; a default that they gave to another one is free.

    So a command that is new to the site does not take a key away.
    """
    if command.name in own:
        return replace(command, keys=tuple(own[command.name]))
    return replace(command, keys=tuple(key for key in command.keys if key not in taken))


def _with_keys_of(command: Command, n_labels: int) -> Command:
    if command.name == "label":
        return replace(command, keys=command.keys[:n_labels])
    return command


def written(key: str) -> str:
    """A key as it is printed: "Shift+→"."""
    head, plus, last = key.rpartition("+") if len(key) > 1 else ("", "", key)
    return f"{head}{plus}{_NAMES.get(last, last)}"


class KeyMap:
    """The key bindings with a user's own keys, ``{command: [keys]}``. Others are ignored.

    With ``n_labels`` there are no keys for labels beyond those.
    """

    def __init__(
        self, own: Mapping[str, Any] | None = None, *, n_labels: int | None = None
    ) -> None:
        known = {}
        taken: set[str] = set()
        for name, keys in (own or {}).items():
            if isinstance(keys, list) and all(isinstance(key, str) for key in keys):
                known[name] = keys
                taken.update(keys)
        self.commands = [_with_own_keys(command, known, taken) for command in COMMANDS]
        if n_labels is not None:
            self.commands = [_with_keys_of(command, n_labels) for command in self.commands]
        self._by_name = {command.name: command for command in self.commands}

    def as_json(self) -> list[dict[str, Any]]:
        """Return the bindings for the page's script."""
        return [{"name": command.name, "keys": list(command.keys)} for command in self.commands]

    @property
    def groups(self) -> list[tuple[str, list[Command]]]:
        """Commands by group, for the help."""
        groups = []
        for name, commands in groupby(self.commands, key=lambda command: command.group):
            groups.append((name, list(commands)))
        return groups

    @property
    def tools(self) -> list[Command]:
        """The commands with a button above the text, in the order of ``TOOLS``."""
        return [self._by_name[name] for name in TOOLS]

    @property
    def cap(self) -> dict[str, str]:
        """The first key of each command as buttons print it; "" if it is switched off."""
        return {command.name: next(iter(command.caps), "") for command in self.commands}

    @property
    def hints(self) -> list[tuple[str, list[tuple[list[str], str]]]]:
        """The hints at the foot of the page by mode: printed keys and a word."""
        modes = {mode: self._of_commands(mode) for mode in ("open", "closed")}
        modes |= {
            mode: [(self._printed(keys), says) for keys, says in lines]
            for mode, lines in _WHILE.items()
        }
        return list(modes.items())

    def _of_commands(self, mode: str) -> list[tuple[list[str], str]]:
        found = []
        for command in self.commands:
            if command.hint and command.keys and mode in command.modes:
                partner = self._by_name.get(command.partner)
                found.append(
                    ([*command.caps[:1], *(partner.caps[:1] if partner else [])], command.hint)
                )
        return found

    def _printed(self, keys: Iterable[str]) -> list[str]:
        caps = []
        for key in keys:
            if key in self._by_name:
                caps += self._by_name[key].caps[:1]
            else:
                caps.append(written(key))
        return caps


def read_own(fields: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the user's own keys from a form, by command, where they differ from the defaults.

    A field holds keys divided by white space. Raises ``UserError`` for an unknown key, and for a
    key of two commands.
    """
    own: dict[str, list[str]] = {}
    owner: dict[str, Command] = {}
    for command in COMMANDS:
        keys = list(
            dict.fromkeys(
                _key(word, command)
                for word in fields.get(command.name, " ".join(command.keys)).split()
            )
        )
        if len(keys) > MAX_KEYS:
            raise UserError(f"“{command.says}” has more than {MAX_KEYS} keys.")
        for key in keys:
            if key in owner:
                raise UserError(
                    f"{written(key)} cannot belong to both “{owner[key].says}” and"
                    f" “{command.says}”. Choose another key for one of them."
                )
            owner[key] = command
        if keys != list(command.keys):
            own[command.name] = keys
    return own


def _key(word: str, command: Command) -> str:
    found = _KEY.fullmatch(word) or _KEY.fullmatch(word[:-1] + word[-1:].upper())
    if not found:
        raise UserError(
            f"“{word[:40]}” is not a key (for “{command.says}”). A key is a letter, a digit, a"
            f" sign, or one of {', '.join(_NAMED)}, with Ctrl+ or Shift+ before it if you like."
        )
    last = found[3].upper() if len(found[3]) == 1 else found[3]
    return f"{found[1] or ''}{found[2] or ''}{last}"
