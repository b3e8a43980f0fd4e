import numpy as np

from benchmarks import report
from benchmarks.quality import ALLOWED, BOOSTED, OURS, Quality, missed
from components.features import DataSpec, Feature, Label


def run(auc: float, log_loss: float) -> list[Quality]:
    return [Quality(OURS, auc, log_loss, 0.9), Quality(BOOSTED, 0.95, 0.2, 0.9)]


def test_the_bar_is_missed_by_each_metric_that_is_too_far_behind():
    assert not missed([run(0.95 - 0.9 * ALLOWED, 0.2 + 0.9 * ALLOWED), run(0.99, 0.1)])
    found = missed([run(0.99, 0.1), run(0.94, 0.2), run(0.95, 0.23)])
    assert found == [
        "Seed 1: AUC is 0.0100 behind HistGradientBoosting; allowed is 0.005.",
        "Seed 2: log loss is 0.0300 behind HistGradientBoosting; allowed is 0.005.",
    ]


def test_the_table_has_the_median_and_the_worst_of_all_seeds():
    table = report.qualities([run(0.96, 0.19), run(0.94, 0.21), run(0.95, 0.2)])
    assert table.rows[0] == [OURS, "0.9500", "0.9400", "0.2000", "0.2100", "0.9000"]
    assert table.notes == missed([run(0.96, 0.19), run(0.94, 0.21)])
    assert "every seed" in report.qualities([run(0.96, 0.19)]).notes[0]


def test_the_contenders_read_gaps_and_categories_they_have_not_seen():
    import pandas as pd

    from benchmarks.quality_contender import _contenders

    label = Label(column="y", dtype="int", problem="binary", classes=("0", "1"))
    spec = DataSpec(
        features=(
            Feature(name="town", kind="categorical", dtype="bytes"),
            Feature(name="hour", kind="categorical", dtype="int"),
            Feature(name="miles", kind="numeric", dtype="float"),
        ),
        label=label,
    )
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 400)
    rows = pd.DataFrame(
        {
            "town": [("Oslo", "Rome", None)[value] for value in truth + random.integers(0, 2, 400)],
            "hour": random.integers(0, 24, 400),
            "miles": np.where(random.random(400) < 0.2, np.nan, truth + random.normal(size=400)),
        }
    )
    unseen = pd.DataFrame({"town": ["Bern", None], "hour": [99, 1], "miles": [np.nan, 1.0]})
    for name, model in _contenders(spec, 0).items():
        model.fit(rows, truth)
        assert model.score(rows, truth) > 0.7, name
        assert model.predict_proba(unseen).shape == (2, 2)
