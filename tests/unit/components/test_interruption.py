from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from components import interruption


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    interruption.clear()
    yield
    interruption.clear()


def test_a_request_is_seen_until_it_is_forgotten() -> None:
    assert not interruption.is_requested()
    interruption.request(timeout_s=0)
    assert interruption.is_requested()
    interruption.clear()
    assert not interruption.is_requested()


def test_where_nothing_saves_a_request_returns_at_once() -> None:
    assert interruption.request(timeout_s=600)


def test_a_request_waits_for_all_who_save() -> None:
    """Each saves only after it has seen the request; the answer comes after both."""
    ready = threading.Barrier(3)
    saved: list[int] = []

    def node(number: int) -> None:
        with interruption.saves_on_request():
            ready.wait(30)
            while not interruption.is_requested():
                pass
            saved.append(number)

    nodes = [threading.Thread(target=node, args=(n,)) for n in range(2)]
    for thread in nodes:
        thread.start()
    ready.wait(30)
    assert interruption.request(timeout_s=30)
    assert sorted(saved) == [0, 1]
    for thread in nodes:
        thread.join()


def test_a_request_does_not_wait_longer_than_it_is_told() -> None:
    with interruption.saves_on_request():
        assert not interruption.request(timeout_s=0.01)


def test_who_fails_is_not_waited_for() -> None:
    with pytest.raises(RuntimeError), interruption.saves_on_request():
        raise RuntimeError
    assert interruption.request(timeout_s=600)


def test_only_who_saves_makes_it_worth_waiting() -> None:
    assert not interruption.is_saving()
    with interruption.saves_on_request():
        assert interruption.is_saving()
    assert not interruption.is_saving()
