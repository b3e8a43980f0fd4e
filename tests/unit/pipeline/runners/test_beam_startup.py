"""Beam gives the same answers as before, and gives them from memory."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    StandardOptions,
    TypeOptions,
)
from apache_beam.transforms import userstate

from pipeline.runners.beam_startup import remember_options, remember_specs

FLAGS = ["--runner=FnApiRunner", "--direct_num_workers=3", "--unknown=1", "--labels=a=b"]


@pytest.fixture
def remembering(monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(PipelineOptions.__init__, "__wrapped__", PipelineOptions.__init__)
    monkeypatch.setattr(PipelineOptions, "__init__", remember_options(original))


def values(options: PipelineOptions) -> dict[str, Any]:
    kinds = (StandardOptions, DirectOptions, TypeOptions)
    views = [options.view_as(kind) for kind in kinds]
    return {**options.get_all_options(), **{str(i): vars(v) for i, v in enumerate(views)}}


@pytest.mark.usefixtures("remembering")
def test_options_are_those_of_the_flags() -> None:
    options = PipelineOptions(FLAGS)
    assert options.view_as(StandardOptions).runner == "FnApiRunner"
    assert options.view_as(DirectOptions).direct_num_workers == 3
    assert options.get_all_options()["labels"] == ["a=b"]
    assert PipelineOptions(["--runner=Other"]).view_as(StandardOptions).runner == "Other"


@pytest.mark.usefixtures("remembering")
def test_a_change_of_one_options_object_is_seen_in_its_views_only() -> None:
    first, second = PipelineOptions(FLAGS), PipelineOptions(FLAGS)
    first.view_as(StandardOptions).streaming = True
    assert first.view_as(StandardOptions).streaming
    assert not second.view_as(StandardOptions).streaming


@pytest.mark.usefixtures("remembering")
def test_overrides_and_wrong_flags_are_left_to_beam() -> None:
    assert PipelineOptions(FLAGS, runner="X").view_as(StandardOptions).runner == "X"
    with pytest.raises(ValueError, match="iterable"):
        PipelineOptions("--runner=X")


def test_flags_are_parsed_once_for_each_class() -> None:
    calls = []
    original = getattr(PipelineOptions.__init__, "__wrapped__", PipelineOptions.__init__)

    def counting(self: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(type(self))
        original(self, *args, **kwargs)

    wrapper = remember_options(counting)
    for _ in range(3):
        wrapper(StandardOptions.__new__(StandardOptions), FLAGS)
    assert calls == [StandardOptions]


class Stateful(beam.DoFn):
    COUNT = userstate.ReadModifyWriteStateSpec("count", VarIntCoder())

    def process(self, element: Any, count: Any = beam.DoFn.StateParam(COUNT)) -> Any:  # noqa: B008
        yield element, count


class Stateless(beam.DoFn):
    def process(self, element: Any) -> Any:
        yield element


def test_state_is_found_as_before_and_looked_for_once() -> None:
    original = getattr(userstate.get_dofn_specs, "__wrapped__", userstate.get_dofn_specs)
    calls = []

    def counting(dofn: Any) -> Any:
        calls.append(dofn)
        return original(dofn)

    specs = remember_specs(counting)
    for dofn in (Stateful(), Stateless()):
        assert specs(dofn) == specs(dofn) == original(dofn)
    assert len(calls) == 2
