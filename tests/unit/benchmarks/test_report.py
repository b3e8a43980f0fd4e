from benchmarks import report
from benchmarks.measure import Sample
from benchmarks.readers import STOCK, Reader
from benchmarks.stock_template import Comparison
from benchmarks.training import WAYS, Result


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


def test_ways_to_train_are_related_to_the_stock_fit():
    results = [
        Result(WAYS[0].name, 1000, 64, 50_000.0, 1.0, 10**9),
        Result("ours", 1000, 64, 600_000.0, 2.0, 2 * 10**9),
    ]
    [table] = report.ways_to_train(results)
    assert table.rows == [
        [WAYS[0].name, "50", "1.0", "1.0", "1.00"],
        ["ours", "600", "12.0", "2.0", "2.00"],
    ]


def test_readers_are_related_to_the_stock_one_of_the_same_size():
    found = [
        Reader(STOCK, 15_000, 5.0, 20.0, 10**9),
        Reader("ours, CSV", 15_000, 0.5, 12.0, 8 * 10**8),
        Reader(STOCK, 150_000, 50.0, 60.0, 10**9),
        Reader("ours, CSV", 150_000, 2.0, 15.0, 10**9),
    ]
    assert report.readers(found).rows == [
        ["stock CsvExampleGen, 15,000 rows", "5.0", "3,000", "1.0", "1.00"],
        ["ours, CSV, 15,000 rows", "0.5", "30,000", "10.0", "0.80"],
        ["stock CsvExampleGen, 150,000 rows", "50.0", "3,000", "1.0", "1.00"],
        ["ours, CSV, 150,000 rows", "2.0", "75,000", "25.0", "1.00"],
    ]
