"""`tensorflow.serving.PredictionService`, on the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from serving import tensor_protos
from serving.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from serving.server import examples
from serving.server.engine import DEFAULT_SIGNATURE, Engine, RequestError, Servable
from serving.server.grpc_calls import (
    API,
    answered,
    of_spec,
    seconds_left,
    target_of,
    write_spec,
)

_SIGNATURES = "signature_def"
_CLASSIFY = "tensorflow/serving/classify"
_REGRESS = "tensorflow/serving/regress"
_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
# What each method says of a signature that the model does not have.
_UNKNOWN_KEY = ('Serving signature key "{}" not found.', "FAILED_PRECONDITION")
_UNKNOWN_NAME = ("No signature was found with the name: {}", "INVALID_ARGUMENT")
_UNKNOWN_TASK = ("Requested signature not found in model graph: {}", "INVALID_ARGUMENT")
# A small integer takes a byte in a message and eight in an array.
_GROWTH = 8


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers requests; every method is called with a message and a gRPC context."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @answered
    async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 (the service's name)
        """Asks a signature with tensors."""
        target = target_of(request)
        with self._engine.request(API, "predict", target.model) as counted:
            with self._engine.use(target) as servable:
                name = _signature(servable, request.model_spec.signature_name, *_UNKNOWN_KEY)
                wanted = _output_names(servable, name, request.output_filter)
                answer = await self._engine.predict(
                    servable, name, self._inputs(request.inputs), timeout_s=seconds_left(context)
                )
            counted.version = answer.version
            response = predict_pb2.PredictResponse()
            write_spec(
                response.model_spec, model=target.model, version=answer.version, signature=name
            )
            for output in wanted:
                tensor = tensor_protos.to_proto(answer.outputs[output])
                response.outputs[output].CopyFrom(tensor)
            return response

    @answered
    async def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802 (the service's name)
        """Asks for the classes of tf.Examples."""
        target = target_of(request)
        with self._engine.request(API, "classify", target.model) as counted:
            rows = examples.serialized(request.input)
            with self._engine.use(target) as servable:
                name = _signature(servable, request.model_spec.signature_name, *_UNKNOWN_NAME)
                response = classification_pb2.ClassificationResponse()
                await self._classify(servable, name, rows, response, seconds_left(context))
            counted.version = servable.version
            return response

    @answered
    async def Regress(self, request: Any, context: Any) -> Any:  # noqa: N802 (the service's name)
        """Asks for a number for each tf.Example."""
        target = target_of(request)
        with self._engine.request(API, "regress", target.model) as counted:
            rows = examples.serialized(request.input)
            with self._engine.use(target) as servable:
                name = _signature(servable, request.model_spec.signature_name, *_UNKNOWN_NAME)
                response = regression_pb2.RegressionResponse()
                await self._regress(servable, name, rows, response, seconds_left(context))
            counted.version = servable.version
            return response

    @answered
    async def MultiInference(  # noqa: N802 (the service's name)
        self, request: Any, context: Any
    ) -> Any:
        """Asks several signatures of one version for the same tf.Examples."""
        _check_tasks(request.tasks)
        target = of_spec(request.tasks[0].model_spec) if request.tasks else of_spec(_NO_SPEC)
        with self._engine.request(API, "multi_inference", target.model) as counted:
            response = inference_pb2.MultiInferenceResponse()
            with self._engine.use(target) as servable:
                rows = examples.serialized(request.input)
                for task in request.tasks:
                    name = _signature(servable, task.model_spec.signature_name, *_UNKNOWN_TASK)
                    result = response.results.add()
                    ask = self._classify if task.method_name == _CLASSIFY else self._regress
                    await ask(servable, name, rows, result, seconds_left(context))
            counted.version = servable.version
            return response

    @answered
    async def GetModelMetadata(  # noqa: N802 (the service's name)
        self, request: Any, context: Any
    ) -> Any:
        """Tells the signatures of a version."""
        target = target_of(request)
        with self._engine.request(API, "metadata", target.model) as counted:
            if not request.metadata_field:
                raise RequestError(
                    "GetModelMetadataRequest must specify at least one metadata_field",
                    "INVALID_ARGUMENT",
                )
            for field in request.metadata_field:
                if field != _SIGNATURES:
                    raise RequestError(
                        f"Metadata field {field} is not supported", "INVALID_ARGUMENT"
                    )
            servable = self._engine.servable(target)
            counted.version = servable.version
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            write_spec(response.model_spec, model=target.model, version=servable.version)
            found = response.metadata[_SIGNATURES]
            found.type_url, found.value = _TYPE, servable.signature_map
            return response

    async def _classify(
        self, servable: Servable, name: str, rows: np.ndarray, response: Any, left: float | None
    ) -> None:
        answer, found = await self._engine.classify(servable, name, rows, timeout_s=left)
        result = _result(response, "classification_result")
        for row in found:
            classes = result.classifications.add().classes
            for label, score in row:
                classes.add(label=label.decode("utf-8", "replace"), score=score)
        write_spec(
            response.model_spec, model=servable.model, version=answer.version, signature=name
        )

    async def _regress(
        self, servable: Servable, name: str, rows: np.ndarray, response: Any, left: float | None
    ) -> None:
        answer, values = await self._engine.regress(servable, name, rows, timeout_s=left)
        result = _result(response, "regression_result")
        for value in values.tolist():
            result.regressions.add(value=value)
        write_spec(
            response.model_spec, model=servable.model, version=answer.version, signature=name
        )

    def _inputs(self, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The arrays of a request.

        Raises:
            RequestError: one is damaged, or larger than a request can be.
        """
        inputs = {}
        for name, tensor in tensors.items():
            try:
                inputs[name] = tensor_protos.to_array(
                    tensor, max_bytes=_GROWTH * self._engine.settings.max_body_bytes
                )
            except ValueError as error:
                raise RequestError(
                    f"tensor parsing error: {name}: {error}", "INVALID_ARGUMENT"
                ) from error
        return inputs


_NO_SPEC = inference_pb2.InferenceTask().model_spec


def _result(response: Any, of_task: str) -> Any:
    """Where the result goes: a task's answer has one of several."""
    return getattr(response, of_task if hasattr(response, of_task) else "result")


def _signature(servable: Servable, name: str, unknown: str, code: str) -> str:
    """The name of a signature, the default one if there is none; TF Serving's words if not."""
    name = name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise RequestError(unknown.format(name), code)
    return name


def _output_names(servable: Servable, signature: str, wanted: Iterable[str]) -> list[str]:
    """The outputs to answer: those that are wanted, or all."""
    known = servable.signatures[signature].outputs
    names = list(wanted)
    for index, name in enumerate(names):
        if name not in known:
            raise RequestError(
                f"output tensor alias not found in signature: {name} Outputs expected to be in "
                f"the set {{{','.join(sorted(known))}}}.",
                "INVALID_ARGUMENT",
            )
        if name in names[:index]:
            raise RequestError(f"duplicate output tensor alias: {name}", "INVALID_ARGUMENT")
    return names or list(known)


def _check_tasks(tasks: Iterable[Any]) -> None:
    """Raises RequestError unless all tasks ask one model, each another signature."""
    models, signatures = set(), set()
    for task in tasks:
        if not task.model_spec.name:
            raise RequestError("Found ModelSpec with an empty model name.", "INVALID_ARGUMENT")
        models.add(task.model_spec.name)
        if len(models) > 1:
            raise RequestError(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
                "INVALID_ARGUMENT",
            )
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in signatures:
            raise RequestError(f"Duplicate evaluation of signature: {name}", "INVALID_ARGUMENT")
        signatures.add(name)
        if task.method_name not in (_CLASSIFY, _REGRESS):
            raise RequestError(
                f"Unsupported signature method_name: {task.method_name}", "UNIMPLEMENTED"
            )
