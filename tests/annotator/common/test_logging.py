"""What goes into the log, and what never does."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from structlog.stdlib import ProcessorFormatter

from annotator.config.logging import logging_config


@pytest.mark.parametrize("as_json", [False, True])
def test_a_traceback_names_the_error_and_never_shows_variables(as_json: bool) -> None:
    facts = dict(logging_config("INFO", as_json=as_json)["formatters"]["structlog"])
    formatter: ProcessorFormatter = facts.pop("()")(**facts)
    text_of_a_document = "LC3 in HeLa cells".upper()
    try:
        raise KeyError("no such panel")
    except KeyError:
        record = logging.LogRecord(
            "django.request",
            logging.ERROR,
            __file__,
            1,
            "Internal Server Error",
            (),
            sys.exc_info(),
        )
    line = formatter.format(record)
    assert "no such panel" in line
    assert "Traceback" in line
    assert text_of_a_document not in line
    assert not as_json or json.loads(line)["event"] == "Internal Server Error"
