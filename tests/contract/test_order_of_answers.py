"""ML Metadata's answers are in the order of what was asked, whatever the database does."""

from __future__ import annotations

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.metadata import connection
from tests.contract.databases import Server


def test_artifacts_come_as_they_were_asked_for_also_after_one_was_changed(
    postgresql_server: Server,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("WAYBILL_METADATA_PASSWORD", postgresql_server.password)
    store = ml_metadata.MetadataStore(connection(postgresql_server.new_database()))
    kind = store.put_artifact_type(pb.ArtifactType(name="Thing"))
    first, second, third = store.put_artifacts(
        [pb.Artifact(type_id=kind, uri=f"/{number}") for number in range(3)]
    )
    [changed] = store.get_artifacts_by_id([first])
    changed.state = pb.Artifact.LIVE
    # PostgreSQL puts a changed row behind the others.
    store.put_artifacts([changed])

    for asked in ([first, second, third], [third, first], [second, first]):
        assert [artifact.id for artifact in store.get_artifacts_by_id(asked)] == asked
        found, _ = store.get_artifacts_and_types_by_artifact_ids(asked)
        assert [artifact.id for artifact in found] == asked
