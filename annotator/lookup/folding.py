"""Names as they are compared: without case, accents, hyphens and spaces, Greek letters spelled out.

Pure. ``fold("IL-1β") == fold("il 1 beta") == "il1beta"``.
"""

from __future__ import annotations

import unicodedata
from typing import Final

#: The Greek alphabet, with the names that English texts give its letters.
GREEK: Final = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "ι": "iota",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "ο": "omicron",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "ς": "sigma",
    "τ": "tau",
    "υ": "upsilon",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
}
#: The Latin letters that symbols have for Greek ones: IL1B for IL-1β.
LATIN: Final = {
    "α": "a",
    "β": "b",
    "γ": "g",
    "δ": "d",
    "ε": "e",
    "ζ": "z",
    "κ": "k",
    "λ": "l",
    "σ": "s",
    "ς": "s",
    "τ": "t",
    "ω": "w",
}
_SPELLED: Final = str.maketrans(GREEK)
_AS_LATIN: Final = str.maketrans(LATIN)
#: Signs that tell names apart: Na+, CD4+.
_KEPT: Final = "+"


def fold(name: str) -> str:
    """Return the name as it is compared; "" if it holds no letter, digit or plus."""
    if name.isascii():
        return _letters(name.lower())
    return _letters(_plain(name).translate(_SPELLED))


def foldings(name: str) -> list[str]:
    """Return the forms in which the name may stand in a dictionary, the likeliest first.

    A Greek letter is spelled out in names, and is a Latin letter in symbols.
    """
    spelled = fold(name)
    if name.isascii():
        return [spelled] if spelled else []
    as_latin = fold(_plain(name).translate(_AS_LATIN))
    return [each for each in dict.fromkeys((spelled, as_latin)) if each]


def _plain(name: str) -> str:
    """Return the name in lower case without accents and typographic variants."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    return unicodedata.normalize("NFKD", decomposed).casefold()


def _letters(name: str) -> str:
    if name.isalnum() and name.isascii():
        return name
    return "".join([sign for sign in name if sign.isalnum() or sign in _KEPT])


def is_one_edit_away(one: str, other: str) -> bool:
    """Whether one character inserted, deleted or replaced, or two swapped, makes one the other."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start, shorter = 0, min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    if one[start + 1 :] == other[start + 1 :]:  # replaced
        return True
    if one[start + 1 :] == other[start:] or one[start:] == other[start + 1 :]:  # one more, or less
        return True
    swapped = one[start : start + 2][::-1] == other[start : start + 2]
    return swapped and one[start + 2 :] == other[start + 2 :]
