"""Compiles a resolved configuration into what a bundle holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from components.errors import ConfigError
from components.ingestion.settings import BUILTIN
from components.settings import Settings
from pipeline.beam import flags
from pipeline.compile import placeholders
from pipeline.compile.bundle import DATA, METADATA, ROOT, SCHEMA, SCHEMA_PATH, Bundle, CompiledNode
from pipeline.compile.tasks import Grouping, tasks
from pipeline.config import PATHS, PipelineConfig
from pipeline.fingerprint import code_hash
from pipeline.layout import Layout
from pipeline.metadata import address_of
from pipeline.nodes import nodes
from pipeline.plan import make_plan
from pipeline.recording.redaction import redact
from pipeline.resolve import Resolved

# Nobody's folder: it is only there to be found in the IR, and taken out of it.
_ROOT = "/waybill-root-of-the-run"


def build(resolved: Resolved, *, grouping: Grouping, folder: Path) -> Bundle:
    """Compiles the pipeline and takes this machine's paths out of it.

    Args:
        resolved: the configuration and what the data adds to it.
        grouping: how nodes are gathered into tasks.
        folder: where the bundle will be.

    Raises:
        ConfigError: a path of this machine would be left in the compiled pipeline.
    """
    known = nodes(resolved)
    store = str(address_of(resolved.config, Layout(Path(_ROOT))))
    paths = {ROOT: _ROOT, METADATA: store, **_paths(resolved)}
    ir = placeholders.hide(_compile(resolved), paths)
    leaks = placeholders.leaks(ir, allowed=flags.pipeline_args(resolved.config.beam))
    if leaks:
        raise ConfigError(
            f"The compiled pipeline would hold paths of this machine: {', '.join(leaks[:3])}. Put "
            "what they name into the image or the package that the cluster runs, or leave it out."
        )
    used = placeholders.names(ir)
    path = resolved.config.data.path
    defaults: dict[str, str | None] = dict.fromkeys(sorted(used | {METADATA}))
    defaults[METADATA] = resolved.config.metadata.uri
    if DATA in used and path.startswith(BUILTIN):
        defaults[DATA] = path
    if SCHEMA_PATH in used:
        defaults[SCHEMA_PATH] = SCHEMA
    upstream = {node.id: node.upstream for node in known}
    return Bundle(
        name=resolved.config.name,
        parameters=defaults,
        nodes=tuple(
            CompiledNode(
                id=node.id,
                upstream=node.upstream,
                code=node.code,
                code_hash=code_hash(node.code),
            )
            for node in known
        ),
        tasks=tasks(upstream, grouping),
        has_spans=resolved.source.span_path is not None,
        config=_portable_config(resolved.config, paths),
        ir=ir,
        folder=folder,
    )


def _paths(resolved: Resolved) -> dict[str, str]:
    """The paths in the configuration, by the parameter that takes their place."""
    found = {DATA: str(resolved.source.base_dir)}
    for key in PATHS:
        value: object = resolved.config
        for name in key.split("."):
            value = getattr(value, name, None) if isinstance(value, Settings) else None
        if isinstance(value, str) and key != "data.path" and not value.startswith(BUILTIN):
            found[key] = value
    return found


def _compile(resolved: Resolved) -> str:
    """The IR as JSON, with the fingerprints that decide whether a result is used again."""
    # TensorFlow and TFX take seconds to import.
    from google.protobuf import json_format

    from pipeline.graph import create_pipeline
    from pipeline.runners import local

    plan = make_plan(
        nodes(resolved),
        lambda node: (),
        content_hash=resolved.source.content_hash,
        exists=lambda uri: True,
    )
    pipeline = create_pipeline(resolved, Layout(Path(_ROOT)))
    # How to connect is known, and its password is there, only where a node runs.
    pipeline.metadata_connection_config = None
    ir = local.compile_pipeline(pipeline, plan)
    for item in ir.nodes:
        step = plan.step(item.pipeline_node.node_info.id)
        item.pipeline_node.execution_options.caching_options.enable_cache = step.node.is_cacheable
    text: str = json_format.MessageToJson(ir, sort_keys=True)
    return text


def _portable_config(config: PipelineConfig, paths: Mapping[str, str]) -> Mapping[str, object]:
    """The configuration as JSON values, without secrets and without this machine's paths."""
    text = json.dumps(redact(config.model_dump(mode="json")))
    portable: Mapping[str, object] = json.loads(placeholders.hide(text, paths))
    return portable
