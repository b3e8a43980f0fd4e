"""What Transform left: where it is, and what its columns mean."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pydantic

from components.errors import ConfigError, nearest
from components.features import DataSpec

# What the Transform node writes last into the folder of its graph.
DATA_SPEC = "data_spec.json"
_SPLITS = ("train", "eval")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What to train on.

    Attributes:
        examples: the folder of transformed examples, with `Split-train` and `Split-eval` in it.
        transform_graph: the folder of the graph that made them.
        data_spec: the columns and the label.
    """

    examples: Path
    transform_graph: Path
    data_spec: DataSpec

    def files(self, split: str) -> tuple[str, ...]:
        """Glob patterns of a split's files."""
        return (str(self.examples / f"Split-{split}" / "*"),)


def read_inputs(
    examples: str | Path, transform_graph: str | Path, data_spec: str | Path | None = None
) -> Inputs:
    """What Transform left in these folders.

    Args:
        examples: see `Inputs`.
        transform_graph: see `Inputs`.
        data_spec: the file that says what the columns mean; the one in `transform_graph` if None.

    Raises:
        ConfigError: a folder or file is not there, or is not what it should be.
    """
    examples, graph = Path(examples), Path(transform_graph)
    for split in _SPLITS:
        if not (examples / f"Split-{split}").is_dir():
            raise ConfigError(
                f"{examples} has no folder Split-{split}. Name the folder of Transform's "
                "transformed examples, such as "
                "output/artifacts/taxi/Transform/transformed_examples/6."
            )
    if not (graph / "transform_fn" / "saved_model.pb").is_file():
        raise ConfigError(
            f"{graph} holds no transform graph. Name the folder that Transform wrote, such as "
            "output/artifacts/taxi/Transform/transform_graph/6."
        )
    path = Path(data_spec) if data_spec is not None else graph / DATA_SPEC
    try:
        spec = DataSpec.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no {path}, which says what the columns mean. Name it with --data-spec: each "
            f"model has one, assets.extra/{DATA_SPEC}; or run Transform again, which writes it."
        ) from error
    except pydantic.ValidationError as error:
        [first, *_] = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path} is no data spec: {where}: {first['msg']}.") from error
    return Inputs(examples.absolute(), graph.absolute(), spec)


def find_inputs(root: str | Path = "output", name: str | None = None) -> Inputs:
    """What Transform left last in the root of a run.

    Args:
        root: the run's `--root`.
        name: the pipeline, where the root has several; the one that ran last if None.

    Raises:
        ConfigError: Transform has not run to its end there.
    """
    folder = Path(root) / "artifacts"
    found = [
        path
        for path in folder.glob(f"*/Transform/transform_graph/*/{DATA_SPEC}")
        if path.parent.name.isdigit()
    ]
    names = sorted({path.relative_to(folder).parts[0] for path in found})
    if name is not None:
        found = [path for path in found if path.relative_to(folder).parts[0] == name]
    if not found:
        hint = f" It has {', '.join(names)}.{nearest(name, names)}" if name and names else ""
        raise ConfigError(
            f"Transform has left nothing in {folder / (name or '')}.{hint} Run the pipeline first: "
            f"python -m pipeline.run_local --root {root} --to Transform"
        )
    # The folders are numbered by execution, over all pipelines of the root.
    graph = max(found, key=lambda path: int(path.parent.name)).parent
    return read_inputs(graph.parents[1] / "transformed_examples" / graph.name, graph)
