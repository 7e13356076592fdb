"""The shortcuts: what is printed, what a person may change, and what is refused."""

from __future__ import annotations

import pytest

from annotator.common.errors import UserError
from annotator.review.screen.keymap import COMMANDS, KeyMap, read_own, written


def test_no_key_belongs_to_two_commands_or_needs_altgr() -> None:
    keys = [key for command in COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if "Alt" in key]
    assert all(ord(char) < 128 for key in keys for char in key)


def test_the_table_itself_is_read_back_as_nothing_of_ones_own() -> None:
    assert read_own({command.name: " ".join(command.keys) for command in COMMANDS}) == {}
    assert read_own({}) == {}


@pytest.mark.parametrize(("n_labels", "cap"), [(8, "1 – 8"), (5, "1 – 5"), (2, "1")])
def test_hints_show_as_many_keys_as_there_are_labels(n_labels: int, cap: str) -> None:
    keymap = KeyMap(n_labels=n_labels)
    assert keymap.cap["label"] == cap
    assert (cap, "add") in [(keys[0], says) for keys, says in dict(keymap.hints)["selected"]]
    assert (cap, "label") in [(keys[0], says) for keys, says in dict(keymap.hints)["open"]]


def test_own_keys_replace_the_defaults() -> None:
    own = read_own({"accept": "k  Ctrl+j", "reject": ""})
    assert own == {"accept": ["K", "Ctrl+J"], "reject": []}
    table = KeyMap(own)
    assert table.cap["accept"] == "K"
    assert table.cap["reject"] == ""
    assert "reject" not in [says for _, hints in table.hints for _, says in hints]
    assert {"name": "reject", "keys": []} in table.as_json()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"accept": "X"}, "cannot belong to both"),
        ({"accept": "Alt+K"}, "is not a key"),
        ({"accept": "AB"}, "is not a key"),
        ({"accept": "ä"}, "is not a key"),
        ({"label": "q w e r t y u i o p"}, "more than 9 keys"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    fields: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        read_own(fields)


def test_keys_are_printed_as_they_stand_on_a_keyboard() -> None:
    assert [written(key) for key in ("Shift+ArrowRight", "Escape", "A", "Ctrl++", "+")] == [
        "Shift+→",
        "Esc",
        "A",
        "Ctrl++",
        "+",
    ]


@pytest.mark.parametrize("own", [{"accept": "K"}, {"accept": [1]}, {"nothing": ["K"]}, None])
def test_preferences_that_make_no_sense_leave_the_table_as_it_is(own: object) -> None:
    assert KeyMap(own).as_json() == KeyMap().as_json()  # type: ignore[arg-type]


def test_a_default_gives_way_to_a_users_own_key() -> None:
    keymap = KeyMap({"accept": ["J"]})
    assert keymap.cap["accept"] == "J"
    assert keymap.cap["takeMemory"] == ""
