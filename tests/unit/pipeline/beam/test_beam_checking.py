"""Beam's own parser accepts what each engine is given, and says what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from components.errors import ConfigError
from pipeline.beam.checking import check_flags
from pipeline.beam.flags import pipeline_args
from pipeline.beam.settings import BeamSettings

FLINK = {"master": "here:8081", "retries": 3, "artifacts_dir": "/tmp/staged"}
SPARK = {"master": "spark://here:7077", "environment_type": "EXTERNAL", "worker_pool": "a:1"}
DATAFLOW = {
    "project": "my-project",
    "region": "europe-west1",
    "temp_location": "gs://my-bucket/temp",
    "staging_location": "gs://my-bucket/staging",
    "sdk_container_image": "registry/waybill:1",
    "machine_type": "n2-standard-4",
    "disk_size_gb": 50,
    "max_num_workers": 8,
    "service_account_email": "runner@my-project.iam.gserviceaccount.com",
    "network": "default",
    "subnetwork": "regions/europe-west1/subnetworks/default",
    "use_public_ips": False,
}


def flags(**values: Any) -> list[str]:
    return pipeline_args(BeamSettings.model_validate(values))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"num_workers": 2},
        {"runner": "flink", "flink": FLINK},
        {"runner": "spark", "spark": SPARK},
        {"runner": "dataflow", "dataflow": DATAFLOW},
        {"runner": "dataflow", "dataflow": {**DATAFLOW, "use_public_ips": True}},
    ],
)
def test_beam_knows_every_flag_of_every_engine(values: dict[str, Any]) -> None:
    check_flags(flags(**values))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--paralelism=2"], "--paralelism=2"),
        (["--runner=NoSuchRunner"], "no runner 'NoSuchRunner'"),
        (["--parallelism=many"], "invalid int value: 'many'"),
    ],
)
def test_flags_of_ones_own_that_beam_refuses_are_named(args: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match="Beam") as refused:
        check_flags(flags(args=args))
    assert says in str(refused.value)


def test_what_dataflow_would_refuse_is_told_without_asking_it() -> None:
    with pytest.raises(ConfigError, match="Invalid Project ID"):
        check_flags(flags(runner="dataflow", dataflow={**DATAFLOW, "project": "My Project"}))
    bad = flags(runner="dataflow", dataflow=DATAFLOW, args=["--temp_location=/tmp"])
    with pytest.raises(ConfigError, match="temp_location"):
        check_flags(bad)
