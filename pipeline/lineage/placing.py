"""Finds the node and the run of executions, with as few calls as their number allows.

To ask for the contexts of one execution costs ML Metadata a scan of a table that has no index for
it: a hundredth of a second in a store of 100,000. The members of a run are found by an index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from pipeline.lineage.models import Execution, Run
from pipeline.lineage.reader import Reader

# Up to here each execution is asked for its contexts.
_MAX_ASKED = 60
# Up to here each run is found by one of its executions; beyond, all runs are gone through.
_MAX_LOOKED_UP = 300

# Gives an execution its node, run and pipeline; and the run, where there is one.
Place = Callable[[Execution], tuple[Execution, Run | None]]


def placed(reader: Reader, executions: Iterable[Execution], place: Place) -> dict[int, Execution]:
    """The executions with their nodes and runs, by number.

    Of more than a few, one whose type occurs once in its run gets the node that the same type had
    in another run of that pipeline.

    Args:
        reader: of the store.
        executions: as the store has them.
        place: asks for the contexts of one execution.
    """
    wanted = {item.id: item for item in executions}
    found: dict[int, Execution] = {}
    nodes: dict[tuple[str, str], str] = {}
    if len(wanted) > _MAX_LOOKED_UP:
        for run in reader.runs():
            _add_members(reader.executions_of_run(run), wanted, found, nodes, place)
            if len(found) == len(wanted):
                break
    for number, item in wanted.items():
        if number in found:
            continue
        found[number], its_run = place(item)
        if len(wanted) > _MAX_ASKED and its_run is not None:
            _add_members(reader.executions_of_run(its_run), wanted, found, nodes, place)
    return found


def _add_members(
    members: Collection[Execution],
    wanted: Collection[int],
    found: dict[int, Execution],
    nodes: dict[tuple[str, str], str],
    place: Place,
) -> None:
    """Adds the wanted members of a run to `found`, and what their types are called to `nodes`."""
    kinds = Counter(member.type for member in members)
    for member in members:
        if member.id not in wanted:
            continue
        key = member.pipeline, member.type
        is_only = kinds[member.type] == 1
        if member.id not in found and is_only and key in nodes:
            found[member.id] = replace(member, node=nodes[key])
        elif member.id not in found:
            found[member.id], _ = place(member)
        if is_only:
            nodes[key] = found[member.id].node
