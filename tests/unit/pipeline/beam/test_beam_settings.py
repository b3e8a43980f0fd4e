"""An engine's settings are complete, or are refused in one line; the flags are those it needs."""

from __future__ import annotations

from typing import Any

import pytest

from components.errors import ConfigError
from pipeline import config as configuration
from pipeline.beam.flags import pipeline_args
from pipeline.beam.settings import BeamSettings

LABELLED = {"name": "mine", "label": {"column": "y"}}
FLINK = {"runner": "flink", "flink": {"master": "here:8081"}}
SPARK = {"runner": "spark", "spark": {"master": "spark://here:7077"}}
DATAFLOW = {
    "runner": "dataflow",
    "dataflow": {
        "project": "my-project",
        "region": "europe-west1",
        "temp_location": "gs://my-bucket/temp",
        "staging_location": "gs://my-bucket/staging",
        "sdk_container_image": "registry/waybill:1",
    },
}


def flags(values: dict[str, Any]) -> list[str]:
    return pipeline_args(BeamSettings.model_validate(values))


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as refused:
        configuration.validate({**LABELLED, "beam": values}, "mine.yaml")
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"runner": "flink"}, "the runner flink needs beam.flink.master."),
        ({"runner": "spark"}, "the runner spark needs beam.spark.master."),
        (
            {"runner": "dataflow", "dataflow": {"project": "p", "region": "r"}},
            "needs beam.dataflow.temp_location, beam.dataflow.staging_location, "
            "beam.dataflow.sdk_container_image.",
        ),
        (
            {"runner": "flink", "flink": {"master": "a:1", "environment_type": "EXTERNAL"}},
            "needs beam.flink.worker_pool.",
        ),
        (
            {"runner": "spark", "spark": {"master": "spark://a:1", "environment_type": "DOCKER"}},
            "needs beam.spark.sdk_container_image.",
        ),
        ({"runner": "flnk"}, "'local', 'flink', 'spark' or 'dataflow'"),
        ({"flink": {"master": "http://here:8081"}}, "beam.flink.master: "),
        ({"spark": {"master": "here:7077"}}, "beam.spark.master: "),
        ({"flink": {"version": "1.12"}}, "beam.flink.version: "),
        ({"flink": {"job_server_jar": "jars/x.jar"}}, "maven or an absolute path"),
        ({"flink": {"job_server_sha256": "abc"}}, "beam.flink.job_server_sha256: "),
        ({"dataflow": {"temp_location": "/tmp"}}, "beam.dataflow.temp_location: "),
        ({"flink": {"parallellism": 2}}, "Did you mean 'parallelism'?"),
    ],
)
def test_an_incomplete_engine_is_refused_by_the_names_of_its_keys(
    values: dict[str, Any], says: str
) -> None:
    assert says in refusal(values)


def test_an_engine_that_is_not_chosen_may_be_incomplete() -> None:
    assert flags({"flink": {"parallelism": 4}}) == flags({})


def test_every_engine_names_its_runner_and_an_image() -> None:
    for values in ({}, {"num_workers": 2}, FLINK, SPARK, DATAFLOW):
        names = [flag.split("=")[0] for flag in flags(values)]
        assert names.count("--runner") == names.count("--sdk_container_image") == 1, values


def test_workers_that_are_processes_of_their_own_import_tfx_first() -> None:
    for values in ({"num_workers": 2}, FLINK, SPARK, DATAFLOW):
        assert "--beam_plugins=tfx" in flags(values)
    assert "--beam_plugins=tfx" not in flags({})


def test_workers_come_from_where_the_environment_says() -> None:
    flink = FLINK["flink"]
    external = {**flink, "environment_type": "EXTERNAL", "worker_pool": "localhost:50000"}
    found = flags({"runner": "flink", "flink": external})
    assert "--environment_config=localhost:50000" in found
    docker = {**flink, "environment_type": "DOCKER", "sdk_container_image": "image:1"}
    found = flags({"runner": "flink", "flink": docker})
    assert "--environment_config=image:1" in found
    assert "--sdk_container_image=image:1" in found
    assert not [flag for flag in flags(FLINK) if flag.startswith("--environment_config")]


def test_restarts_are_left_to_the_cluster_unless_they_are_said() -> None:
    assert "retries" not in " ".join(flags(FLINK))
    said = {"runner": "flink", "flink": {**FLINK["flink"], "retries": 7}}
    assert "--number_of_execution_retries=7" in flags(said)


def test_flags_of_ones_own_come_last_and_a_runner_of_ones_own_stands_alone() -> None:
    assert flags({**FLINK, "args": ["--parallelism=9"]})[-1] == "--parallelism=9"
    own = ["--runner=PrismRunner", "--x=1"]
    assert flags({**FLINK, "args": own}) == own


def test_dataflow_gets_the_keys_that_are_set() -> None:
    values = {**DATAFLOW["dataflow"], "machine_type": "n2-standard-4", "use_public_ips": False}
    found = flags({"runner": "dataflow", "dataflow": values})
    assert "--machine_type=n2-standard-4" in found
    assert "--no_use_public_ips" in found
    assert not [flag for flag in found if "None" in flag or flag.startswith("--network")]
