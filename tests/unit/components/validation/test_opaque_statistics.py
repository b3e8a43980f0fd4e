"""Columns of images, texts and names: what their statistics make of an inferred schema."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("opaque", [(), ("note",)])
def test_a_column_that_is_opaque_gets_no_list_of_its_values(opaque: tuple[str, ...]) -> None:
    import pandas as pd
    from tfx.types import standard_artifacts
    from tfx.types.channel import Channel

    from components.validation.component import build_statistics

    import tensorflow_data_validation as tfdv  # isort: skip - needs what tfx puts in place

    node = build_statistics(examples=Channel(type=standard_artifacts.Examples), opaque=opaque)
    options = node.spec.exec_properties.get("stats_options_json")
    frame = pd.DataFrame({"note": [f"text {row}" for row in range(60)], "kind": ["a", "b"] * 30})
    statistics = tfdv.generate_statistics_from_dataframe(
        frame,
        tfdv.StatsOptions.from_json(options) if options else tfdv.StatsOptions(),
        n_jobs=1,
    )
    schema = tfdv.infer_schema(statistics)
    domains = {feature.name: feature.domain for feature in schema.feature}
    assert domains == {"note": "" if opaque else "note", "kind": "kind"}
