"""The engine: versions come and go under requests, labels move, batches are put together."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.server.engine import Engine, RequestError, Target
from serving.server.errors import Overloaded
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


def test_without_a_config_the_newest_version_of_every_model_is_served(tmp_path: Path) -> None:
    publish(tmp_path, 1, 3)
    tiny_models.write(tmp_path / "other" / "7")
    (tmp_path / "tiny" / ".tmp-4").mkdir()
    (tmp_path / "tiny" / "readme").mkdir()
    (tmp_path / "empty").mkdir()

    async def run() -> None:
        async with serving(tmp_path) as engine:
            assert engine.models() == ["other", "tiny"]
            assert states(engine) == {3: "AVAILABLE"}
            assert await version_of(engine) == 3
            assert engine.not_ready() == ""
            with pytest.raises(RequestError) as caught:
                await engine.predict(Target("tiny", version=1), None, X)
            assert str(caught.value) == "Servable not found for request: Specific(tiny, 1)"
            assert caught.value.code == "NOT_FOUND"

    asyncio.run(run())


def test_a_new_version_takes_over_and_the_old_one_is_unloaded(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path) as engine:
            assert await version_of(engine) == 1
            publish(tmp_path, 2)
            await until(lambda: states(engine) == {1: "END", 2: "AVAILABLE"})
            assert await version_of(engine) == 2

    asyncio.run(run())


def test_a_model_that_comes_later_is_served_and_one_that_goes_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as engine:
            assert "there is no model in" in engine.not_ready()
            publish(tmp_path, 1)
            await until(lambda: engine.models() and available(engine) == [1])
            assert engine.not_ready() == ""
            shutil.rmtree(tmp_path / "tiny")
            await until(lambda: engine.models() == [])
            with pytest.raises(RequestError, match="Could not find any versions of model tiny"):
                engine.statuses(MODEL)

    asyncio.run(run())


def test_the_config_says_which_versions_and_labels_there_are(tmp_path: Path) -> None:
    publish(tmp_path, 1, 2, 3, 4)
    put_config(tmp_path, [1, 3], {"stable": 1, "canary": 3})

    async def run() -> None:
        async with serving(tmp_path) as engine:
            assert available(engine) == [1, 3]
            assert engine.labels("tiny") == {"canary": 3, "stable": 1}
            assert await version_of(engine, Target("tiny", label="stable")) == 1
            assert await version_of(engine, Target("tiny", label="canary")) == 3
            assert await version_of(engine, Target("tiny", version=1)) == 1
            # As TF Serving: whoever names nothing gets the newest.
            assert await version_of(engine) == 3
            with pytest.raises(RequestError, match="Unrecognized servable version label: x"):
                await engine.predict(Target("tiny", label="x"), None, X)
            put_config(tmp_path, [1, 3], {"stable": 3})
            await until(lambda: engine.labels("tiny") == {"stable": 3})

    asyncio.run(run())


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("all { }", [1, 2, 3]), ("latest { num_versions: 2 }", [2, 3]), ("latest { }", [3])],
)
def test_every_policy_of_a_config_is_followed(
    tmp_path: Path, policy: str, expected: list[int]
) -> None:
    publish(tmp_path, 1, 2, 3)
    put_config(tmp_path, [], {}, policy=policy)

    async def run() -> None:
        async with serving(tmp_path) as engine:
            assert available(engine) == expected

    asyncio.run(run())


def test_a_label_moves_only_to_a_version_that_is_loaded(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    put_config(tmp_path, [1], {"stable": 1})
    stable = Target("tiny", label="stable")

    async def run() -> None:
        async with serving(tmp_path) as engine:
            (tmp_path / "tiny" / "2").mkdir()
            put_config(tmp_path, [2], {"stable": 2})
            await until(lambda: states(engine).get(2) == "END")
            assert await version_of(engine, stable) == 1
            # Mended, it is loaded, and the label moves at last.
            (tmp_path / "tiny" / "2").rmdir()
            publish(tmp_path, 2)
            await until(lambda: engine.labels("tiny") == {"stable": 2})
            assert await version_of(engine, stable) == 2
            await until(lambda: states(engine)[1] == "END")

    asyncio.run(run())


def test_a_version_that_does_not_load_leaves_the_old_one_and_says_why(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path) as engine:
            damaged = tmp_path / "tiny" / "2"
            damaged.mkdir()
            (damaged / "saved_model.pb").write_bytes(b"damaged")
            await until(lambda: states(engine).get(2) == "END")
            (status,) = engine.statuses(Target("tiny", version=2))
            assert status.code != "OK"
            assert "does not load" in status.message
            assert await version_of(engine) == 1
            assert engine.not_ready() == ""
            assert b'waybill_failed_loads_total{model="tiny"} 1.0' in engine.metrics.text()

    asyncio.run(run())


def test_a_config_that_is_damaged_or_gone_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path, 1, 2)
    put_config(tmp_path, [1], {"stable": 1})

    async def run() -> None:
        async with serving(tmp_path) as engine:
            for damage in ("model_config_list {", 'model_config_list { config { name: "tiny" } }'):
                (tmp_path / "models.config").write_text(damage)
                await until(lambda: "is not used" in capsys.readouterr().err)
                assert available(engine) == [1]
                put_config(tmp_path, [1], {"stable": 1})
                await until(lambda: "can be read again" in capsys.readouterr().err)
            (tmp_path / "models.config").unlink()
            await until(lambda: "is gone" in capsys.readouterr().err)
            assert engine.labels("tiny") == {"stable": 1}
            assert available(engine) == [1]

    asyncio.run(run())


def test_a_folder_that_is_emptied_does_not_end_the_service(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    put_config(tmp_path, [], {}, policy="latest { }")

    async def run() -> None:
        async with serving(tmp_path) as engine:
            shutil.rmtree(tmp_path / "tiny")
            await asyncio.sleep(0.3)
            assert await version_of(engine) == 1

    asyncio.run(run())


def test_a_client_can_send_a_config(tmp_path: Path) -> None:
    publish(tmp_path, 1, 2)
    put_config(tmp_path, [1], {"stable": 1})

    async def run() -> None:
        async with serving(tmp_path) as engine:
            await engine.reload(config(tmp_path, [1, 2], {"stable": 2}))
            assert available(engine) == [1, 2]
            assert engine.labels("tiny") == {"stable": 2}
            # It holds although the file says something else, until that changes.
            await asyncio.sleep(0.2)
            assert engine.labels("tiny") == {"stable": 2}
            put_config(tmp_path, [2], {"old": 2})
            await until(lambda: engine.labels("tiny") == {"old": 2})
            with pytest.raises(RequestError) as caught:
                await engine.reload("model_config_list {")
            assert caught.value.code == "INVALID_ARGUMENT"
            with pytest.raises(RequestError) as caught:
                await engine.reload(config(tmp_path, [2], {"stable": 9}))
            assert caught.value.code == "FAILED_PRECONDITION"
            assert "label to version 9 of model tiny, which is not" in str(caught.value)

    asyncio.run(run())


def test_a_share_of_the_requests_goes_to_the_canary(tmp_path: Path) -> None:
    publish(tmp_path, 1, 2, 3)
    put_config(tmp_path, [1, 2, 3], {"stable": 1, "canary": 3})

    async def share(engine: Engine) -> float:
        found = [engine.servable(MODEL).version for _ in range(4000)]
        assert set(found) <= {1, 3}
        assert engine.servable(Target("tiny", version=2)).version == 2
        return found.count(3) / len(found)

    async def run() -> None:
        for percent, least, most in ((0, 0.0, 0.0), (20, 0.15, 0.25), (100, 1.0, 1.0)):
            async with serving(tmp_path, canaries={"tiny": f"canary:{percent}"}) as engine:
                assert least <= await share(engine) <= most
        # Without the label all requests go where they would.
        async with serving(tmp_path, canaries={"tiny": "none:50"}) as engine:
            assert engine.servable(MODEL).version == 3
        async with serving(tmp_path, default_label="stable") as engine:
            assert engine.servable(MODEL).version == 1
        async with serving(tmp_path, default_label="none") as engine:
            assert engine.servable(MODEL).version == 3

    asyncio.run(run())


def test_no_request_fails_while_versions_come_and_go(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, poll_s=0.01) as engine:
            is_over = False
            answered: list[int] = []

            async def ask() -> None:
                while not is_over:
                    answered.append(await version_of(engine))

            asking = [asyncio.ensure_future(ask()) for _ in range(16)]
            for version in range(2, 6):
                publish(tmp_path, version)
                shutil.rmtree(tmp_path / "tiny" / str(version - 1))
                await until(lambda: answered and answered[-1] == max(served(tmp_path)))
                assert available(engine) == [version]
            is_over = True
            await asyncio.gather(*asking)
            assert set(answered) == {1, 2, 3, 4, 5}
            assert states(engine)[5] == "AVAILABLE"

    asyncio.run(run())


def test_a_version_in_use_is_unloaded_only_after_its_last_request(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path) as engine:
            with engine.use(MODEL) as servable:
                publish(tmp_path, 2)
                await until(lambda: states(engine) == {1: "UNLOADING", 2: "AVAILABLE"})
                await asyncio.sleep(0.2)
                answer = await engine.predict(servable, None, X)
                assert answer.version == 1
                assert answer.outputs["y"].tolist() == [1.0, 2.0]
            await until(lambda: states(engine) == {1: "END", 2: "AVAILABLE"})

    asyncio.run(run())


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


def test_the_status_of_a_model_does_not_grow_for_ever(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    async def run() -> None:
        async with serving(tmp_path, poll_s=0) as engine:
            for version in range(2, 30):
                (tmp_path / "tiny" / str(version)).mkdir()
                put_config(tmp_path, [1, version], {})
                await engine.reload((tmp_path / "models.config").read_text())
            assert len(states(engine)) <= 22

    asyncio.run(run())
