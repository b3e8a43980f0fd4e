"""An engine that serves the model `tiny`, whose versions answer with their number as weight."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving.server.engine import Engine, RequestError, Target
from serving.server.settings import EngineSettings
from tests.unit.serving import tiny_models

MODEL = Target("tiny")
X = {"x": np.array([1.0, 2.0], np.float32)}


@contextlib.asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Engine]:
    engine = Engine(EngineSettings(serving=folder, **{"poll_s": 0.05, **settings}))
    await engine.start()
    try:
        yield engine
    finally:
        async with asyncio.timeout(30):
            await engine.stop()


def config(
    folder: Path, versions: Sequence[int], labels: Mapping[str, int], policy: str = ""
) -> str:
    listed = " ".join(f"versions: {version}" for version in versions)
    named = " ".join(
        f'version_labels {{ key: "{name}" value: {version} }}' for name, version in labels.items()
    )
    return (
        f'model_config_list {{ config {{ name: "tiny" base_path: "{folder / "tiny"}" '
        f'model_platform: "tensorflow" model_version_policy {{ '
        f"{policy or f'specific {{ {listed} }}'} }} {named} }} }}\n"
    )


def put_config(folder: Path, *args: Any, **more: Any) -> None:
    draft = folder / ".draft"
    draft.write_text(config(folder, *args, **more))
    draft.replace(folder / "models.config")


def publish(folder: Path, *versions: int) -> None:
    for version in versions:
        tiny_models.write(folder / "tiny" / str(version), weight=float(version))


def served(folder: Path) -> list[int]:
    return [int(path.name) for path in (folder / "tiny").glob("[0-9]*")]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def version_of(engine: Engine, target: Target = MODEL) -> int:
    """The version that answers, as its weight tells."""
    answer = await engine.predict(target, None, X)
    assert answer.outputs["y"].tolist() == [answer.version, 2 * answer.version]
    return answer.version


def states(engine: Engine) -> dict[int, str]:
    """None for a model that was found a moment ago, whose versions were not looked at yet."""
    try:
        return {status.version: status.state for status in engine.statuses(MODEL)}
    except RequestError:
        return {}


def available(engine: Engine) -> list[int]:
    return [version for version, state in states(engine).items() if state == "AVAILABLE"]
