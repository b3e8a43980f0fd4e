"""The engine's versions: they come and go under requests, and labels move."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from serving.server.engine import Engine, RequestError, Target
from tests.unit.serving import tiny_models
from tests.unit.serving.tiny_engine import (
    MODEL,
    X,
    available,
    config,
    publish,
    put_config,
    served,
    serving,
    states,
    until,
    version_of,
)


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
