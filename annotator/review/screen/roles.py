"""Signs and names of roles."""

from __future__ import annotations

from typing import Final

from ner_engine.schema import BORING, CONTROLLED_VAR, MEASURED_VAR

#: The signs beside a label's two letters.
ROLE_SIGNS: Final = {CONTROLLED_VAR: "▲", MEASURED_VAR: "●", BORING: "○"}

ROLE_NAMES: Final = {
    CONTROLLED_VAR: "controlled variable",
    MEASURED_VAR: "measured variable",
    BORING: "context",
}
