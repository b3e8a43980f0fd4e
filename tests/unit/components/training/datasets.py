"""Small real data sets, transformed by the real transform graph."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from components.features import DataSpec, Feature, Label
from components.training.job import Job
from components.training.settings import TrainingSettings

Row = dict[str, Any]
PROJECT = Path(__file__).parents[4]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Transformed examples and their graph in `folder`; `raw` holds the eval rows before that."""

    folder: Path
    spec: DataSpec
    raw: Sequence[Row]

    @property
    def graph(self) -> Path:
        return self.folder / "graph"

    def files(self, split: str) -> list[str]:
        """Glob patterns, as TFX gives them."""
        return [str(self.folder / "examples" / f"Split-{split}" / "*")]

    def fn_args(self, root: Path, code: str = "code", **settings: Any) -> SimpleNamespace:
        """What TFX would call `run_fn` with, for a run with outputs under `root`."""
        model = root / "Trainer" / "model" / "1"
        model.mkdir(parents=True, exist_ok=True)
        return SimpleNamespace(
            train_files=self.files("train"),
            eval_files=self.files("eval"),
            transform_graph_path=str(self.graph),
            serving_model_dir=str(model / "Format-Serving"),
            model_run_dir=str(root / "Trainer" / "model_run" / "1"),
            base_model=None,
            hyperparameters=None,
            custom_config={
                "settings": TrainingSettings(**settings).model_dump_json(),
                "data_spec": self.spec.model_dump_json(),
                "code": code,
            },
        )


def job(dataset: Dataset, code: str = "code", **settings: Any) -> Job:
    """What `train` needs for `dataset`."""
    return Job(
        settings=TrainingSettings(**settings),
        data_spec=dataset.spec,
        train_files=tuple(dataset.files("train")),
        eval_files=tuple(dataset.files("eval")),
        transform_graph=str(dataset.graph),
        code=code,
    )


def _feature(name: str, dtype: Any, buckets: int | None = None) -> Feature:
    if buckets is None:
        return Feature(name=name, kind="categorical", dtype=dtype)
    return Feature(name=name, kind="numeric", dtype=dtype, buckets=buckets)


# Binary, with a label made of two columns of which one is a feature, and columns not in use.
TAXI = DataSpec(
    features=(
        _feature("fare", "float", 10),
        _feature("trip_miles", "float", 10),
        _feature("trip_seconds", "int", 0),
        _feature("pickup_latitude", "float", 10),
        _feature("payment_type", "bytes"),
        _feature("company", "bytes"),
        _feature("trip_start_hour", "int"),
    ),
    label=Label(
        column="tips",
        dtype="float",
        problem="binary",
        classes=("small", "big"),
        ratio_to="fare",
        above=0.2,
    ),
)
# Regression, without a numeric column.
FARES = DataSpec(
    features=(_feature("payment_type", "bytes"), _feature("dropoff_community_area", "int")),
    label=Label(column="fare", dtype="float", problem="regression"),
)
# Multiclass, without a categorical column.
WINE = DataSpec(
    features=tuple(_feature(name, "float", 0) for name in ("alcohol", "hue", "proline")),
    label=Label(
        column="kind", dtype="bytes", problem="multiclass", classes=("barolo", "grignolino", "asti")
    ),
)


def taxi_rows(count: int) -> list[Row]:
    """The first rows of the taxi trips that come with TFX."""
    tfx = importlib.util.find_spec("tfx")
    assert tfx is not None
    assert tfx.submodule_search_locations is not None
    folder = Path(tfx.submodule_search_locations[0]) / "examples/chicago_taxi_pipeline/data/simple"
    types = {"payment_type": str, "company": str} | dict.fromkeys(
        ("trip_seconds", "trip_start_hour", "dropoff_community_area"), lambda v: int(float(v))
    )
    with (folder / "data.csv").open() as file:
        return [
            {name: types.get(name, float)(value) for name, value in row.items() if value != ""}
            for row, _ in zip(csv.DictReader(file), range(count), strict=False)
        ]


def wine_rows() -> list[Row]:
    from sklearn.datasets import load_wine

    data = load_wine(as_frame=True)
    frame = data.frame[["alcohol", "hue", "proline"]].assign(
        kind=[WINE.label.classes[index] for index in data.target]
    )
    return frame.sample(frac=1, random_state=0).to_dict("records")


def serialized(row: Row) -> bytes:
    """A row as a tf.Example; a column that is not in it has no value."""
    import tensorflow as tf

    example = tf.train.Example()
    for name, column in row.items():
        feature = example.features.feature[name]
        for value in column if isinstance(column, list) else [column]:
            if isinstance(value, str | bytes):
                feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
            elif isinstance(value, int):
                feature.int64_list.value.append(value)
            else:
                feature.float_list.value.append(value)
    return example.SerializeToString(deterministic=True)


def make_dataset(folder: Path, spec: DataSpec, rows: list[Row]) -> Dataset:
    """Runs Transform's preprocessing over `rows`: two thirds train, the others eval."""
    import tfx  # noqa: F401, I001 - puts a module in place that the next imports need
    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam
    from tfx_bsl.public import tfxio

    from components.transform.preprocessing import preprocessing_fn
    from components.transform.settings import TransformSettings

    splits = {
        "train": [row for i, row in enumerate(rows) if i % 3],
        "eval": [row for i, row in enumerate(rows) if i % 3 == 0],
    }
    # Not the shorter way, by dicts: its coder crashes the interpreter when that ends.
    source = tfxio.TFExampleBeamRecord("inmem", schema=_schema(rows))
    tensors = source.TensorAdapterConfig()
    config = {
        "data_spec": spec.model_dump_json(),
        "settings": TransformSettings().model_dump_json(),
    }
    with beam.Pipeline(runner="FnApiRunner") as pipeline, tft_beam.Context(str(folder / "tmp")):
        raw = {
            split: pipeline
            | f"Rows {split}" >> beam.Create([serialized(row) for row in rows])
            | f"Read {split}" >> source.BeamSource()
            for split, rows in splits.items()
        }
        graph = (raw["train"], tensors) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
        for split, batches in raw.items():
            made, metadata = ((batches, tensors), graph) | f"Transform {split}" >> (
                tft_beam.TransformDataset(output_record_batches=True)
            )
            _ = (
                made
                | f"Encode {split}" >> beam.FlatMap(_encode, metadata.dataset_metadata.schema)
                | f"Write {split}"
                >> beam.io.WriteToTFRecord(
                    str(folder / "examples" / f"Split-{split}" / "transformed"),
                    file_name_suffix=".gz",
                    num_shards=2,
                )
            )
    return Dataset(folder, spec, splits["eval"])


def _encode(batch_and_passed_through: Any, schema: Any) -> list[bytes]:
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    return RecordBatchToExamplesEncoder(schema).encode(batch_and_passed_through[0])


def _schema(rows: list[Row]) -> Any:
    import tensorflow as tf
    from tensorflow_transform.tf_metadata import schema_utils

    types = {float: tf.float32, int: tf.int64, str: tf.string, bytes: tf.string}
    cells = ((name, value) for row in rows for name, value in row.items() if value != [])
    found = {name: types[type(v[0] if isinstance(v, list) else v)] for name, v in cells}
    return schema_utils.schema_from_feature_spec(
        {name: tf.io.VarLenFeature(dtype) for name, dtype in found.items()}
    )
