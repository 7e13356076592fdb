"""sd-nlp, the format of EMBO's public data sets: one JSON object per line, as words or as tokens.

A row is a panel (folder ``sd_panels``) or a figure (``sd_figs``). The default output is correct:
it keeps the last word, starts each of two touching entities with B-, and lists what words cannot
hold as lossy. ``PUBLIC`` reproduces the public converter exactly, including its two defects.
"""

from ner_engine.formats.sd_nlp.passages import (
    DEFAULT,
    LAYERS,
    PANEL_START,
    PUBLIC,
    Flavour,
    Passage,
    Row,
    figure_passage,
    panel_passages,
)
from ner_engine.formats.sd_nlp.reading import read
from ner_engine.formats.sd_nlp.rows import encoded_row, token_row, word_row
from ner_engine.formats.sd_nlp.tokenizer import load_tokenizer

__all__ = [
    "DEFAULT",
    "LAYERS",
    "PANEL_START",
    "PUBLIC",
    "Flavour",
    "Passage",
    "Row",
    "encoded_row",
    "figure_passage",
    "load_tokenizer",
    "panel_passages",
    "read",
    "token_row",
    "word_row",
]
