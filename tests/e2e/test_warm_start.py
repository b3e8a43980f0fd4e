"""A training that begins with the weights of the model before."""

from __future__ import annotations

from pathlib import Path

from tests.command import Command, Result

FLAGS = ("--label", "target", "--set", "training.steps=60", "--set", "training.warm_start=true")


def test_new_data_starts_from_the_model_before_and_an_unchanged_run_does_nothing(
    run_local: Command, small_table: Path, tmp_path: Path
) -> None:
    table = tmp_path / "tumors.csv"
    header, *rows = small_table.read_text().splitlines()
    table.write_text("\n".join([header, *rows[:400]]) + "\n")

    def run() -> Result:
        result = run_local(tmp_path / "root", "--data", str(table), *FLAGS)
        assert result.exit_code == 0, result.stdout + result.stderr
        return result

    assert "from the earlier model" not in run().stdout
    # The model of the first run is what this training would make: it is no start for itself.
    assert run().ran == set()

    table.write_text("\n".join([header, *rows]) + "\n")
    second = run()
    assert "weights from the earlier model" in second.stdout
    assert run().ran == set()
