"""Keeps the engine out of the cache: the same data gives the same result on every engine.

TFX counts all that is in a node's executor specification as part of what decides its result, the
flags of Beam too. So the launcher sees a specification without them; the one that carries the node
out has them.
"""

from __future__ import annotations

from typing import Any

from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.proto.orchestration.executable_spec_pb2 import BeamExecutableSpec


def split(spec: Any) -> tuple[Any, dict[type, Any]]:
    """What the launcher is given instead of an executor's specification.

    Args:
        spec: the executor's specification; None for a node without an executor.

    Returns:
        The specification without Beam's flags, and by its type what makes the operator that runs
        the executor with them; nothing of the kind where no Beam is.
    """
    if not isinstance(spec, BeamExecutableSpec):
        return spec, {}
    bare = BeamExecutableSpec()
    bare.CopyFrom(spec)
    bare.ClearField("beam_pipeline_args")
    bare.ClearField("beam_pipeline_args_placeholders")

    def operator(executor_spec: Any, platform_config: Any = None) -> BeamExecutorOperator:
        return BeamExecutorOperator(spec, platform_config)

    return bare, {BeamExecutableSpec: operator}
