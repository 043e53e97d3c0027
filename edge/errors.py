"""Errors that a user can act on: one sentence with what was asked, what was found, what to do."""


class FigopError(Exception):
    """Base of every error whose message is meant for the user; the CLI prints it without a traceback."""


class SourceError(FigopError):
    """A camera, video, folder or recording cannot be read."""


class SinkError(FigopError):
    """An output cannot be written; what was written before it stays readable."""


class BundleError(FigopError):
    """A bundle is missing, damaged, or of a schema that this version does not know."""


class RuntimeUnavailable(FigopError):
    """An inference runtime, provider or hand network that was asked for is not there."""


class ScoreError(FigopError):
    """A finger event or caption that the vocabulary does not allow."""
