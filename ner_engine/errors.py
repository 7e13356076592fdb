"""Errors of the engine. Each carries one sentence for the person who can do something about it."""


class EngineError(Exception):
    """Base of every error the engine raises on purpose; ``str(error)`` is fit to be shown to a
    user."""


class FormatError(EngineError):
    """An input cannot be read, or a document cannot be written in the wanted form.

    ``where`` names the place (file, member, line or document id); it is part of the message.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where


class UnreadableError(EngineError):
    """A file, or a member of an archive, cannot be read: it is damaged, cut off, locked or away.

    ``where`` names it; it is part of the message.
    """

    def __init__(self, message: str, *, where: str) -> None:
        super().__init__(f"{where}: {message}")
        self.message = message
        self.where = where


class OffsetError(EngineError):
    """A span does not fit its text: out of range, empty, white space at an end, or another
    surface."""


class UnsafeModelError(EngineError):
    """A checkpoint is refused: no label list, pickled weights, or code of its own."""


class ModelNotFoundError(EngineError):
    """A model is neither bundled, nor a folder, nor in the cache; the message says how to fetch
    it."""


class DeviceError(EngineError):
    """The device that computes failed or has no memory left. No text is to blame, and the next text
    would fail as well."""


class TrainingError(EngineError):
    """A training run cannot start or go on."""


class LabelSchemeError(EngineError):
    """A label scheme is not known, or labels belong to none that is."""


class CalibrationError(EngineError):
    """A model cannot be run in int8: it has no scales, or none that fit it."""
