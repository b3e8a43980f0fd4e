import pytest

from benchmarks.measure import Sample
from benchmarks.scale import Size, bounds, write_table


@pytest.mark.parametrize("num_rows", [1, 2, 5])
def test_table_repeats_its_rows_under_one_header(tmp_path, num_rows):
    source, target = tmp_path / "source.csv", tmp_path / "target.csv"
    source.write_bytes(b"a,b\r\n1,2\r\n3,4")
    write_table(source, target, num_rows)
    lines = target.read_bytes().decode().splitlines()
    assert lines == ["a,b", *["1,2", "3,4", "1,2", "3,4", "1,2"][:num_rows]]


def size(num_rows: int, wall_s: float, peak_bytes: int, **nodes: float) -> Size:
    return Size(num_rows, [Sample(wall_s=wall_s, peak_bytes=peak_bytes, nodes=nodes)])


def test_bounds_name_the_slowest_node_and_the_cost_of_more_rows():
    small = size(10_000, 20.0, 10**9, Transform=4.0, Trainer=9.0)
    large = size(1_010_000, 50.0, 3 * 10**9, Transform=33.0, Trainer=10.0)
    assert bounds([small, large]) == [
        "10,000 rows: Trainer takes 9.0 s of 20.0 s.",
        "1,010,000 rows: Transform takes 33.0 s of 50.0 s; a further million rows costs 30 s "
        "(Transform 29.0 s and Trainer 1.0 s) and 2.00 GB.",
    ]


def test_bounds_say_when_no_node_but_the_imports_bound():
    assert bounds([size(10, 20.0, 1, Trainer=5.0)]) == [
        "10 rows: imports and all outside the nodes take 15.0 s of 20.0 s."
    ]
