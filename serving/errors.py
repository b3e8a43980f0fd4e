"""What can go wrong in publishing and serving.

    ServingError
    ├── PublishError    a model could not be published; nothing half-written is left behind
    └── ModelError      a SavedModel does not load, or cannot answer a request

A stage that publishes or loads models turns these into the errors of the pipeline.
"""

from __future__ import annotations


class ServingError(Exception):
    """The root of the tree: one message a user can act on."""


class PublishError(ServingError):
    """A model could not be published; no reader sees a part of it."""


class ModelError(ServingError):
    """A SavedModel does not load, has no such signature, or fails on a request."""
