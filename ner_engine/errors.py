"""Errors of the engine. The message of each is written for the person who can act on it."""


class EngineError(Exception):
    """Base of every error that the engine raises on purpose; its message may be shown to users."""


class FormatError(EngineError):
    """An input cannot be parsed, or a document cannot be written in the chosen format.

    ``where`` is the place (file, archive member, line or document id) and part of the message.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where


class UnreadableError(EngineError):
    """A file or a member of an archive is damaged, cut off, locked or missing.

    ``where`` is its name and part of the message.
    """

    def __init__(self, message: str, *, where: str) -> None:
        super().__init__(f"{where}: {message}")
        self.message = message
        self.where = where


class OffsetError(EngineError):
    """A span is out of range or empty, has white space at an end, or a different surface."""


class UnsafeModelError(EngineError):
    """A checkpoint is refused: it has no label list, has pickled weights, or needs its own code."""


class ModelNotFoundError(EngineError):
    """A model is neither bundled, nor a folder, nor cached; the message says how to get it."""


class DeviceError(EngineError):
    """The device failed or ran out of memory. No text is the cause; the next one would fail too."""


class TrainingError(EngineError):
    """A training run cannot start or continue."""


class LabelSchemeError(EngineError):
    """A label scheme is unknown, or labels fit no known scheme."""


class CalibrationError(EngineError):
    """A model cannot run in int8, because it has no scales or scales that do not fit it."""
