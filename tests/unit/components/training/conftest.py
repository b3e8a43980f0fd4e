"""Transformed data sets, made once a session."""

from __future__ import annotations

import pytest

from tests.unit.components.training.datasets import (
    FARES,
    TAXI,
    WINE,
    Dataset,
    make_dataset,
    taxi_rows,
    wine_rows,
)


@pytest.fixture(scope="session")
def taxi(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Binary: 1,200 training rows with numeric and categorical columns."""
    return make_dataset(tmp_path_factory.mktemp("taxi"), TAXI, taxi_rows(1800))


@pytest.fixture(scope="session")
def fares(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Regression from categorical columns alone."""
    return make_dataset(tmp_path_factory.mktemp("fares"), FARES, taxi_rows(600))


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Multiclass from numeric columns alone: 118 training rows."""
    return make_dataset(tmp_path_factory.mktemp("wine"), WINE, wine_rows())


@pytest.fixture(scope="session")
def datasets(taxi: Dataset, fares: Dataset, wine: Dataset) -> dict[str, Dataset]:
    """One data set for each kind of problem."""
    return {"binary": taxi, "regression": fares, "multiclass": wine}
