"""SchemaGen for a curated schema: the file's text travels with the pipeline, not its path.

So the same contract on another machine, or at another place, gives the same result from the cache;
TFX's ImportSchemaGen keeps the path.
"""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

# What TFX calls the file in a Schema artifact.
FILE = "schema.pbtxt"


@component
def CuratedSchemaGen(  # noqa: N802 - a component is named like a class
    schema: OutputArtifact[standard_artifacts.Schema], text: Parameter[str]
) -> None:
    """Writes the schema where the nodes after it read it.

    Args:
        schema: gets the file.
        text: a tensorflow.metadata.v0.Schema as text proto.
    """
    folder = Path(schema.uri)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(text, encoding="utf-8")
