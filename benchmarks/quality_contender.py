"""Trains scikit-learn's models on the rows a model was made of and prints how well all answer.

Started by `benchmarks.quality`; the last line is JSON. All read the columns of the pushed model's
data spec, and are judged on the eval split by the same functions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from benchmarks.quality import BOOSTED, OURS, Quality
from components.features import CATEGORICAL, LABEL, NUMERIC, DataSpec

# Boosted trees of scikit-learn know no more categories in a column.
_MAX_CATEGORIES = 254
_BATCH_ROWS = 1024


class Rows(NamedTuple):
    """One split: the columns, the label as 0 or 1 [rows], and our model's probability [rows]."""

    columns: pd.DataFrame
    label: np.ndarray
    probability: np.ndarray


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the models and prints their quality."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_contender")
    parser.add_argument("model", type=Path, help="the folder of the pushed model")
    parser.add_argument("examples", type=Path, help="the folder of the raw examples")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    spec = DataSpec.model_validate_json((args.model / "assets.extra/data_spec.json").read_bytes())
    model = tf.saved_model.load(str(args.model))
    train, evaluated = (
        _read(args.examples / f"Split-{split}", spec, model) for split in ("train", "eval")
    )
    found = [_quality(OURS, evaluated, evaluated.probability)]
    for name, contender in _contenders(spec, args.seed).items():
        contender.fit(train.columns, train.label)
        found.append(_quality(name, evaluated, contender.predict_proba(evaluated.columns)[:, 1]))
    print(json.dumps([quality.__dict__ for quality in found]))


def _contenders(spec: DataSpec, seed: int) -> dict[str, Pipeline]:
    numeric = [feature.name for feature in spec.of_kind(NUMERIC)]
    categorical = [feature.name for feature in spec.of_kind(CATEGORICAL)]
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=_MAX_CATEGORIES,
    )
    # The categories come first.
    is_category = [True] * len(categorical) + [False] * len(numeric)

    def boosted(**settings: Any) -> Pipeline:
        return make_pipeline(
            make_column_transformer((codes, categorical), ("passthrough", numeric)),
            HistGradientBoostingClassifier(
                categorical_features=is_category, random_state=seed, **settings
            ),
        )

    return {
        BOOSTED: boosted(),
        f"{BOOSTED}, early stopping": boosted(
            learning_rate=0.03, max_iter=1000, early_stopping=True
        ),
        "LogisticRegression": make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore"), categorical),
                (make_pipeline(SimpleImputer(), StandardScaler()), numeric),
            ),
            LogisticRegression(max_iter=2000),
        ),
    }


def _read(folder: Path, spec: DataSpec, model: Any) -> Rows:
    files = sorted(str(path) for path in folder.iterdir())
    records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    labels, probabilities = [], []
    for start in range(0, len(records), _BATCH_ROWS):
        batch = tf.constant(records[start : start + _BATCH_ROWS])
        labels.append(model.signatures["transform_features"](examples=batch)[LABEL].numpy())
        answer = model.signatures["serving_default"](examples=batch)
        probabilities.append(answer["probability"].numpy()[:, 0])
    columns = {feature.name: feature for feature in spec.features}
    cells: list[dict[str, Any]] = []
    for record in records:
        row = tf.train.Example.FromString(record).features.feature
        cells.append({name: _value(row[name]) for name in columns if name in row})
    return Rows(
        pd.DataFrame(cells, columns=list(columns)),
        np.concatenate(labels),
        np.concatenate(probabilities),
    )


def _value(feature: Any) -> Any:
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else []
    if not len(values):
        return None
    return values[0].decode(errors="replace") if kind == "bytes_list" else values[0]


def _quality(name: str, rows: Rows, probability: np.ndarray) -> Quality:
    return Quality(
        model=name,
        auc=float(roc_auc_score(rows.label, probability)),
        log_loss=float(log_loss(rows.label, probability)),
        accuracy=float(accuracy_score(rows.label, probability > 0.5)),
    )


if __name__ == "__main__":
    main()
