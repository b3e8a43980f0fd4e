"""What can go wrong in publishing and serving.

    ServingError
    ├── PublishError    a model could not be published; nothing half-written is left behind
    ├── LabelError      labels cannot be read or moved; they are as they were
    │   ├── NotFound        no such folder, model, version or label
    │   ├── Damaged         a version's files are not what was published
    │   └── NotLoaded       the server did not load the version in time
    └── ModelError      a SavedModel does not load, or cannot answer a request

A stage that publishes or loads models turns these into the errors of the pipeline.
"""

from __future__ import annotations


class ServingError(Exception):
    """The root of the tree: one message a user can act on."""


class PublishError(ServingError):
    """A model could not be published; no reader sees a part of it."""


class LabelError(ServingError):
    """Labels cannot be read or moved; they are as they were."""


class NotFound(LabelError):
    """There is no such folder, model, version or label."""


class Damaged(LabelError):
    """A version's files are not what was published."""


class NotLoaded(LabelError):
    """The server did not load the version, or does not answer."""


class ModelError(ServingError):
    """A SavedModel does not load, has no such signature, or fails on a request.

    Attributes:
        code: the name of the gRPC status that says whose fault it is, such as `INVALID_ARGUMENT`.
    """

    def __init__(self, message: str, *, code: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.code = code
