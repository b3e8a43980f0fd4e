"""Strings that someone may have written into a store to break what shows them."""

from __future__ import annotations

from pipeline.lineage.models import Artifact, Edge, Execution, Graph, channels

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'\"]; style x fill:#f00 %% [b](javascript:alert(1)) `c` {{7*7}}",
    "\x1b[31mred\x1b]0;title\x07",
    "a\nb\r\nc\u2028d\x00e",
    "\u202egnp.exe",
    "../../etc/passwd",
    'end\\" -> {x} [label="y"]; </text></svg>&amp;&#60;',
    "\ud800 half",
)


def hostile_graph() -> Graph:
    """One execution and one artifact for each hostile string, which is everywhere in them."""
    executions, artifacts, edges = {}, {}, []
    for number, text in enumerate(HOSTILE, start=1):
        artifacts[number] = Artifact(
            id=number,
            type=text,
            uri=f"/{text}",
            live=True,
            properties={text: text, "pushed_version": text, "waybill_rows": text},
            name=text,
            created_ms=number,
            state="LIVE",
        )
        edges += [
            Edge(execution=number, artifact=number, is_output=True, key=text),
            *(
                [Edge(execution=number, artifact=number - 1, is_output=False, key=text)]
                if number > 1
                else []
            ),
        ]
    for number, text in enumerate(HOSTILE, start=1):
        own = [edge for edge in edges if edge.execution == number]
        executions[number] = Execution(
            id=number,
            node=text,
            type=text,
            pipeline=text,
            run=text,
            state=text if number % 2 else "FAILED",
            started_ms=number,
            updated_ms=number + 1000,
            properties={text: text, "waybill_error": text, "nan": float("nan")},
            inputs=channels(own, artifacts, is_output=False),
            outputs=channels(own, artifacts, is_output=True),
        )
    return Graph(
        executions=executions, artifacts=artifacts, edges=tuple(edges), roots=("artifact:1",)
    )
