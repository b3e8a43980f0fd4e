"""The verbs of the command, one module each: its flags, what it asks, and how it is printed.

A module has

    add_arguments(parser)           its flags and arguments
    run(args, session) -> int       does it, and returns the exit code

and is imported only when its verb is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """What the command knows of a verb before it imports it.

    Attributes:
        module: its name, seen from `pipeline.lineage`.
        help: one line.
    """

    module: str
    help: str


VERBS: Mapping[str, Verb] = {
    "runs": Verb(".verbs.runs", "the runs: when, how long, how they ended, metrics, version"),
    "show": Verb(".verbs.show", "one run, version, execution or artifact"),
    "why": Verb(".verbs.why", "why a model was pushed or refused"),
    "trace": Verb(".verbs.trace", "upstream: what something was made of, down to the raw files"),
    "impact": Verb(".verbs.impact", "downstream: every model and version something went into"),
    "diff": Verb(".verbs.diff", "what differs between two runs, versions or models"),
    "search": Verb(".verbs.search", "artifacts, executions or runs with given properties"),
    "graph": Verb(".verbs.graph", "a picture: text, Mermaid, DOT, SVG, or a page"),
    "export": Verb(".verbs.export", "for other tools: OpenLineage, PROV-JSON, or JSON"),
    "doctor": Verb(".verbs.doctor", "what is left over, lost, changed or unknown"),
    "gc": Verb(".verbs.gc", "what may be deleted; deletes nothing"),
    "serve": Verb("pipeline.web.verb_serve", "all of this in a browser, on this machine"),
    "report": Verb("pipeline.web.verb_report", "one run as a page of its own, to hand on"),
}
