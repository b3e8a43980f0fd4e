"""Decides, before anything heavy is imported, which nodes will run, which are cached, and why.

It follows TFX's own cache: a node's earlier result is used when its settings, its code and its
input artifacts are the same and its outputs are still there. The runner carries the decision out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from components.errors import ConfigError, nearest
from pipeline.fingerprint import CODE, DATA, SETTINGS, code_hash, settings_text
from pipeline.lineage.models import Artifact, Execution, History
from pipeline.nodes import ACCEPTED, Node
from pipeline.resolvers import ANSWERS


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens to one node: it runs, its earlier result is used, or it is left out."""

    node: Node
    action: str
    why: str
    earlier: Execution | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether the node does its work."""
        return self.action == "run"


@dataclass(frozen=True)
class Plan:
    """The steps, in order."""

    steps: tuple[Step, ...]

    @property
    def has_work(self) -> bool:
        """Whether any node that can be cached has to run."""
        return any(step.runs and step.node.is_cacheable for step in self.steps)

    def step(self, node_id: str) -> Step:
        """The step of one node."""
        return next(step for step in self.steps if step.node.id == node_id)


def make_plan(
    nodes: Sequence[Node],
    history: History,
    *,
    content_hash: str,
    exists: Callable[[str], bool],
    fresh: bool = False,
    from_node: str | None = None,
    to_node: str | None = None,
) -> Plan:
    """Compares every node with its history.

    Args:
        nodes: all nodes in an order that runs.
        history: gives a node's earlier executions, newest first.
        content_hash: the hash of the data.
        exists: whether an artifact's uri is still there.
        fresh: uses no earlier result.
        from_node: this node and all that follow it run in any case.
        to_node: nodes that it does not need are left out.

    Raises:
        ConfigError: `from_node` or `to_node` is not a node.
    """
    by_id = {node.id: node for node in nodes}
    for flag, name in (("--from", from_node), ("--to", to_node)):
        if name is not None and name not in by_id:
            raise ConfigError(
                f"{flag} {name}: there is no such node. Nodes: {', '.join(by_id)}."
                f"{nearest(name, by_id)}"
            )
    forced = _downstream(nodes, from_node) if from_node else frozenset()
    wanted = _upstream(by_id, to_node) if to_node else frozenset(by_id)
    steps: dict[str, Step] = {}
    for node in nodes:
        properties = {
            CODE: code_hash(node.code),
            SETTINGS: settings_text(node.settings),
        }
        if node.id not in wanted:
            steps[node.id] = Step(node=node, action="skip", why=f"not needed for {to_node}")
            continue
        earlier, why = None, ""
        if fresh:
            why = "--fresh"
        elif node.id in forced:
            why = f"--from {from_node}"
        elif node.id in ANSWERS:
            why, answer = ANSWERS[node.id]
            found = answer(lambda name: steps[name].earlier, history, exists, properties[SETTINGS])
            earlier = _execution(node, found) if found is not None else None
        else:
            earlier, why = _match(node, properties, steps, history, content_hash, exists)
        is_cached = earlier is not None and node.is_cacheable
        steps[node.id] = Step(
            node=node,
            action="cached" if is_cached else "run",
            why=why,
            earlier=earlier,
            properties=properties,
        )
    return Plan(tuple(steps.values()))


def _match(
    node: Node,
    properties: Mapping[str, str],
    steps: Mapping[str, Step],
    history: History,
    content_hash: str,
    exists: Callable[[str], bool],
) -> tuple[Execution | None, str]:
    """The newest execution whose result still holds, or why there is none."""
    runs = [source for source, _ in node.inputs.values() if _changes(steps[source])]
    if runs:
        names = list(dict.fromkeys(runs))
        return None, f"{' and '.join(names)} {'runs' if len(names) == 1 else 'run'}"
    done = [execution for execution in history(node.id) if execution.succeeded]
    if not done:
        return None, "no earlier result"
    expected = _expected_inputs(node, steps)
    for execution in done:
        if _difference(node, execution, properties, expected, content_hash):
            continue
        missing = _missing_output(execution, exists)
        return (None, f"{missing} is gone") if missing else (execution, "nothing changed")
    return None, _difference(node, done[0], properties, expected, content_hash)


def _changes(step: Step) -> bool:
    return step.action == "run" and step.node.is_cacheable


def _expected_inputs(node: Node, steps: Mapping[str, Step]) -> dict[str, tuple[int, ...]]:
    """The artifact ids that each input would get now; an input without artifacts is left out."""
    expected = {}
    for key, (source, output) in node.inputs.items():
        earlier = steps[source].earlier
        ids = tuple(item.id for item in earlier.outputs.get(output, ())) if earlier else ()
        if ids:
            expected[key] = ids
    return expected


def _difference(
    node: Node,
    execution: Execution,
    properties: Mapping[str, str],
    expected: Mapping[str, tuple[int, ...]],
    content_hash: str,
) -> str:
    """What keeps an execution's result from being used; empty when nothing does."""
    was = execution.properties
    # On the artifact, not the execution: TFX registers a cached one before its driver has looked.
    read = {
        item.properties[DATA]
        for items in execution.outputs.values()
        for item in items
        if not node.inputs and DATA in item.properties
    }
    if read - {content_hash}:
        return "the data changed"
    if was.get(SETTINGS) != properties[SETTINGS]:
        return _changed_settings(str(was.get(SETTINGS, "{}")), properties[SETTINGS])
    if was.get(CODE) != properties[CODE]:
        return f"the code of {' or '.join(node.code) or 'TFX'} changed"
    inputs = {key: tuple(item.id for item in items) for key, items in execution.inputs.items()}
    changed = sorted(
        key for key in inputs.keys() | expected if inputs.get(key) != expected.get(key)
    )
    return f"another {', '.join(changed)}" if changed else ""


def _changed_settings(was: str, now: str) -> str:
    old, new = (dict(_flatten(json.loads(text))) for text in (was, now))
    changed = sorted(key for key in old.keys() | new if old.get(key) != new.get(key))
    shown = [f"{key}: {_short(old.get(key))} → {_short(new.get(key))}" for key in changed[:2]]
    more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
    return ", ".join(shown) + more


def _flatten(value: object, prefix: str = "") -> Iterable[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _short(value: object) -> str:
    text = json.dumps(value) if value is not None else "none"
    return text if len(text) <= 40 else f"{text[:37]}…"


def _missing_output(execution: Execution, exists: Callable[[str], bool]) -> str:
    for artifacts in execution.outputs.values():
        for artifact in artifacts:
            if not artifact.live or not exists(artifact.uri):
                return artifact.uri
            pushed = artifact.text("pushed_destination")
            # What is behind a URL only TensorFlow could tell.
            if pushed and "://" not in pushed and not exists(pushed):
                return pushed
    return ""


def _execution(node: Node, answer: Artifact) -> Execution:
    """What a resolver's execution will look like."""
    return Execution(
        id=0,
        node=node.id,
        state="COMPLETE",
        run="",
        started_ms=0,
        updated_ms=0,
        properties={},
        inputs={},
        outputs={"statistics" if node.id == ACCEPTED else "model": (answer,)},
    )


def _downstream(nodes: Sequence[Node], start: str) -> frozenset[str]:
    found = {start}
    for node in nodes:
        if found & {source for source, _ in node.inputs.values()}:
            found.add(node.id)
    return frozenset(found)


def _upstream(by_id: Mapping[str, Node], end: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [end]
    while waiting:
        node_id = waiting.pop()
        if node_id not in found:
            found.add(node_id)
            waiting.extend(by_id[node_id].upstream)
    return frozenset(found)
