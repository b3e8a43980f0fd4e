from benchmarks import report
from benchmarks.measure import Sample
from benchmarks.stock_template import Comparison


def sample(wall_s: float, **nodes: float) -> Sample:
    return Sample(wall_s=wall_s, peak_bytes=2 * 10**9, tree_peak_bytes=3 * 10**9, nodes=nodes)


COMPARISON = Comparison(
    stock=[sample(40.0, Trainer=10.0), sample(44.0, Trainer=12.0)],
    cold=[sample(20.0, Trainer=4.0, DataGate=1.0), sample(22.0, Trainer=4.0, DataGate=1.0)],
    again=[sample(2.0), sample(2.0)],
)


def test_whole_runs_are_related_to_the_stock_template():
    assert report.whole_runs(COMPARISON).rows == [
        ["stock template", "42.0", "40.0", "44.0", "1.00", "2.00", "1.00", "3.00"],
        ["ours, cold", "21.0", "20.0", "22.0", "0.50", "2.00", "1.00", "3.00"],
        ["ours, nothing changed", "2.0", "2.0", "2.0", "0.05", "2.00", "1.00", "3.00"],
    ]


def test_nodes_that_one_side_lacks_stay_empty_and_the_rest_comes_last():
    assert report.per_node(COMPARISON).rows == [
        ["Trainer", "11.0", "4.0"],
        ["DataGate", "-", "1.0"],
        ["imports and the rest", "31.0", "16.0"],
    ]


def test_markdown_has_title_table_and_notes():
    table = report.Table("Title", ["", "s"], [["ours", "1.0"]], ["A remark."])
    assert table.to_markdown() == (
        "**Title**\n\n|  | s |\n| :-- | --: |\n| ours | 1.0 |\n\n- A remark.\n"
    )
