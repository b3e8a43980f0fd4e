"""The engine's requests: put together in batches, counted, refused and given up."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from serving.server.engine import Engine, RequestError, Target
from serving.server.errors import Overloaded
from tests.unit.serving.tiny_engine import (
    MODEL,
    X,
    publish,
    put_config,
    serving,
    states,
    until,
)


def test_requests_that_wait_are_asked_together_and_get_their_own_rows(tmp_path: Path) -> None:
    publish(tmp_path, 2)

    async def run() -> None:
        async with serving(tmp_path, num_workers=1) as engine:

            async def ask(number: int) -> None:
                x = np.arange(number % 5, dtype=np.float32) + number
                answer = await engine.predict(MODEL, None, {"x": x})
                assert answer.outputs["y"].tolist() == (2 * x).tolist()

            await asyncio.gather(*[ask(number) for number in range(300)])
            calls = sample(engine, 'waybill_batch_rows_count{model="tiny"}')
            rows = sample(engine, 'waybill_batch_rows_sum{model="tiny"}')
            assert rows >= 600
            # 60 of them have no rows and go alone.
            assert calls < 150

    asyncio.run(run())


def sample(engine: Engine, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", engine.metrics.text().decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_no_batch_has_more_rows_than_may_be_unless_a_request_has(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, num_workers=1, max_batch_rows=8) as engine:
            requests = [engine.predict(MODEL, None, X) for _ in range(64)]
            large = engine.predict(MODEL, None, {"x": np.ones(100, np.float32)})
            await asyncio.gather(*requests, large)
            text = engine.metrics.text().decode()
            assert 'waybill_batch_rows_bucket{le="64.0",model="tiny"}' in text
            over = sample(engine, 'waybill_batch_rows_bucket{le="+Inf",model="tiny"}') - sample(
                engine, 'waybill_batch_rows_bucket{le="8.0",model="tiny"}'
            )
            assert over == 1

    asyncio.run(run())


def test_a_request_waits_for_others_no_longer_than_it_may(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, batch_wait_s=0.2, max_batch_rows=8) as engine:
            await asyncio.gather(*[engine.predict(MODEL, None, X) for _ in range(3)])
            assert sample(engine, 'waybill_batch_rows_count{model="tiny"}') == 1
            # A full batch does not wait.
            async with asyncio.timeout(0.2 * 8):
                for _ in range(8):
                    await asyncio.gather(*[engine.predict(MODEL, None, X) for _ in range(4)])
            assert sample(engine, 'waybill_batch_rows_count{model="tiny"}') == 9

    asyncio.run(run())


def test_a_request_that_fails_in_a_batch_fails_alone(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, num_workers=1) as engine:

            async def ask(number: int) -> str:
                x = np.array([-1.0 if number % 10 == 3 else number], np.float32)
                try:
                    answer = await engine.predict(MODEL, None, {"x": x})
                except RequestError as error:
                    return f"{error.code} {error}"
                assert answer.outputs["y"].tolist() == x.tolist()
                return ""

            found = await asyncio.gather(*[ask(number) for number in range(50)])
            for number, problem in enumerate(found):
                assert problem.startswith("INVALID_ARGUMENT") == (number % 10 == 3)
                assert ("x must not be -1" in problem) == (number % 10 == 3)

    asyncio.run(run())


def test_what_cannot_be_asked_together_is_asked_alone(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, num_workers=1) as engine:

            async def total(number: int) -> float:
                x = np.full(3, number, np.float32)
                answer = await engine.predict(MODEL, "total", {"x": x})
                assert answer.outputs["sum"].shape == ()
                return float(answer.outputs["sum"])

            found = await asyncio.gather(*[total(number) for number in range(30)])
            assert found == [3.0 * number for number in range(30)]
            # One array has rows that the other has not: that is the model's business.
            name = np.array([b"abc"], object)
            answer = await engine.predict(MODEL, "named", {"name": name, **X})
            assert answer.outputs["y"].tolist() == [3.0, 6.0]

    asyncio.run(run())


def test_batches_can_be_turned_off(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, num_workers=1, max_batch_rows=1) as engine:
            answers = await asyncio.gather(
                *[
                    engine.predict(MODEL, "means", {"x": np.array([number], np.float32)})
                    for number in range(20)
                ]
            )
            assert [answer.outputs["mean"].tolist() for answer in answers] == [
                [float(number)] for number in range(20)
            ]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("signature", "inputs", "expected"),
    [
        ("none", X, 'Serving signature name: "none" not found in signature def'),
        (None, {}, "input size does not match signature: 0!=1 len({}) != len({x})"),
        (None, {**X, "z": X["x"]}, "Sent extra: {z}. Missing but required: {}."),
        (None, {"y": X["x"]}, "Sent extra: {y}. Missing but required: {x}."),
        (None, {"x": np.array([1])}, "Input 'x' has type int64, expected float"),
        (None, {"x": np.ones((1, 1), np.float32)}, "Input 'x' has shape [1, 1], expected [?]"),
    ],
)
def test_inputs_that_the_signature_does_not_take_are_refused(
    tmp_path: Path, signature: str | None, inputs: dict[str, np.ndarray], expected: str
) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path) as engine:
            with pytest.raises(RequestError) as caught:
                await engine.predict(MODEL, signature, inputs)
            assert expected in str(caught.value)
            assert caught.value.http_status == 400

    asyncio.run(run())


def test_requests_are_counted_and_no_more_are_let_in_than_may_be(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, max_in_flight=1) as engine:
            with engine.request("REST", "predict", "tiny") as request:
                with pytest.raises(Overloaded), engine.request("gRPC", "predict", "tiny"):
                    raise AssertionError("was let in")
                request.version = 1
            with pytest.raises(RequestError), engine.request("REST", "predict", "nobody"):
                engine.servable(Target("nobody"))
            text = engine.metrics.text().decode()
            for labels in (
                'api="REST",code="OK",method="predict",model="tiny",version="1"',
                'api="gRPC",code="RESOURCE_EXHAUSTED",method="predict",model="tiny",version=""',
                'api="REST",code="NOT_FOUND",method="predict",model="",version=""',
            ):
                assert f"waybill_requests_total{{{labels}}} 1.0" in text
            assert "waybill_in_flight 0.0" in text
            # A counter is gone with what it counted.
            put_config(tmp_path, [1], {"stable": 1})
            await until(lambda: b'label="stable",model="tiny"} 1.0' in engine.metrics.text())
            (tmp_path / "models.config").write_text("model_config_list { }")
            await until(lambda: b'label="stable"' not in engine.metrics.text())
            assert b"waybill_loaded{" not in engine.metrics.text()

    asyncio.run(run())


def test_a_caller_that_gives_up_does_not_disturb_the_others(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, num_workers=1, batch_wait_s=0.1) as engine:
            impatient = [
                asyncio.ensure_future(engine.predict(MODEL, None, X, timeout_s=0.001))
                for _ in range(10)
            ]
            patient = [engine.predict(MODEL, None, X) for _ in range(10)]
            answers = await asyncio.gather(*patient)
            assert [answer.outputs["y"].tolist() for answer in answers] == [[1.0, 2.0]] * 10
            for request in impatient:
                with pytest.raises(RequestError) as caught:
                    await request
                assert caught.value.code == "DEADLINE_EXCEEDED"
            publish(tmp_path, 2)
            await until(lambda: states(engine) == {1: "END", 2: "AVAILABLE"})

    asyncio.run(run())
