"""Lets ML Metadata answer in the order of what it was asked.

A question for several ids is one SELECT without an order, and PostgreSQL puts a row that was
changed behind the others. TFX pairs the answers with the ids by their places: a cached Transform
then gives its graph out as its examples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_service_pb2 as service

# The kind of a question, with the field of its ids and that of the answers.
_QUESTIONS: dict[type[Message], tuple[str, str]] = {
    service.GetArtifactsByIDRequest: ("artifact_ids", "artifacts"),
    service.GetExecutionsByIDRequest: ("execution_ids", "executions"),
    service.GetContextsByIDRequest: ("context_ids", "contexts"),
}
_MARK = "_keeps_the_order"


def install() -> None:
    """Changes how ML Metadata's client calls the database.

    TFX makes its own clients, so this is done to the class, once in a process.
    """
    call: Callable[..., None] = MetadataStore._pywrap_cc_call
    if getattr(MetadataStore, _MARK, False):
        return

    def keep_order(store: MetadataStore, method: Any, request: Message, response: Message) -> None:
        call(store, method, request, response)
        fields = _QUESTIONS.get(type(request))
        if fields is not None:
            _sort(getattr(request, fields[0]), getattr(response, fields[1]))

    setattr(MetadataStore, _MARK, True)
    MetadataStore._pywrap_cc_call = keep_order


def _sort(asked: Any, answers: Any) -> None:
    places = {id_: place for place, id_ in reversed(list(enumerate(asked)))}
    answers.sort(key=lambda answer: places[answer.id])
