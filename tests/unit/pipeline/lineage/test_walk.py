from __future__ import annotations

from pipeline.lineage import walk
from tests.unit.pipeline.lineage.fake_reader import FakeReader


def chain(length: int) -> tuple[FakeReader, list[int]]:
    """Models, each made from the one before and compared with it."""
    reader = FakeReader()
    [examples] = reader.node("ExampleGen", writes=[("examples", "Examples")])
    models: list[int] = []
    for _ in range(length):
        reads = [("examples", examples)] + [("base_model", model) for model in models[-1:]]
        [model] = reader.node("Trainer", reads=reads, writes=[("model", "Model")])
        reader.node(
            "Evaluator",
            reads=[("model", model), *(("baseline_model", other) for other in models[-1:])],
            writes=[("blessing", "ModelBlessing")],
        )
        models.append(model)
    return reader, models


def test_a_walk_up_a_long_chain_ends_at_its_limit_and_says_so() -> None:
    reader, models = chain(30)
    whole = walk.upstream(reader, [models[-1]])
    assert not whole.is_cut
    assert {item.node for item in whole.executions.values()} == {"ExampleGen", "Trainer"}
    assert len(whole.executions) == 31
    cut = walk.upstream(reader, [models[-1]], limit=5)
    assert cut.is_cut
    assert len(cut.executions) == 5


def test_a_walk_down_counts_all_and_keeps_what_is_asked_for_beyond_its_limit() -> None:
    reader, models = chain(30)
    reach = walk.downstream(reader, [1], is_kept=lambda item: item.type == "Model", limit=5)
    assert [item.id for item in reach.kept] == models
    assert reach.num_executions == 61
    assert reach.num_artifacts == 61
    assert (len(reach.graph.executions), reach.graph.is_cut) == (5, True)
    linked = {edge.artifact for edge in reach.graph.edges}
    assert set(reach.graph.artifacts) <= linked | {1}


def test_what_reads_a_judgement_is_no_descendant() -> None:
    reader = FakeReader()
    [model] = reader.node("Trainer", writes=[("model", "Model")])
    [blessing] = reader.node(
        "Evaluator", reads=[("baseline_model", model)], writes=[("blessing", "ModelBlessing")]
    )
    reader.node("Pusher", reads=[("blessing", blessing)], writes=[("pushed", "PushedModel")])
    reach = walk.downstream(reader, [model], is_kept=lambda item: item.type == "PushedModel")
    assert reach.kept == ()
    # Who asks about the blessing itself means what followed from it.
    asked = walk.downstream(reader, [blessing], is_kept=lambda item: item.type == "PushedModel")
    assert len(asked.kept) == 1


def test_a_node_that_reused_a_result_first_and_read_another_is_followed() -> None:
    reader = FakeReader()
    [raw] = reader.node("ExampleGen", writes=[("examples", "Examples")])
    [stats] = reader.node(
        "Statistics", reads=[("examples", raw)], writes=[("statistics", "Statistics")]
    )
    [model] = reader.node("Trainer", reads=[("statistics", stats)], writes=[("model", "Model")])
    # Answers with the raw examples again, and reads what was made of them.
    reader.node("Both", reads=[("statistics", stats)], writes=[("model", "Model")])
    reader.edges.append(
        type(reader.edges[0])(execution=4, artifact=raw, is_output=True, key="examples")
    )
    reach = walk.downstream(reader, [raw], is_kept=lambda item: item.type == "Model")
    assert [item.id for item in reach.kept] == [model, model + 1]


def test_a_cycle_ends() -> None:
    reader = FakeReader()
    [one] = reader.node("A", writes=[("x", "Thing")])
    [two] = reader.node("B", reads=[("x", one)], writes=[("y", "Thing")])
    edge = type(reader.edges[0])
    reader.edges.append(edge(execution=1, artifact=two, is_output=False, key="y"))
    assert set(walk.upstream(reader, [two]).executions) == {1, 2}
    reach = walk.downstream(reader, [one], is_kept=lambda _: True)
    assert {item.id for item in reach.kept} == {one, two}


def test_the_maker_of_a_cached_result_is_the_first_that_wrote_it() -> None:
    reader = FakeReader()
    [examples] = reader.node("ExampleGen", writes=[("examples", "Examples")])
    reader.node("ExampleGen", state="CACHED")
    edge = type(reader.edges[0])
    reader.edges.append(edge(execution=2, artifact=examples, is_output=True, key="examples"))
    assert set(walk.upstream(reader, [examples]).executions) == {1}
