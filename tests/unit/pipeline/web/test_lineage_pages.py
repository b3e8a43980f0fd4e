"""The lineage pages: what they show, what they refuse, and that foreign text stays text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.lineage.connection import Address
from pipeline.lineage.session import Session
from pipeline.web.app import make_app
from pipeline.web.guard import FIELD, Token
from pipeline.web.run_report import run_report
from serving import changes, labels
from serving.shelves import LocalShelf
from tests.unit.pipeline.lineage import served_versions
from tests.unit.pipeline.lineage.hostile import HOSTILE
from tests.unit.pipeline.lineage.written_store import PIPELINE, Execution, WrittenStore

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def written(tmp_path: Path) -> WrittenStore:
    """Two runs that pushed version 1 and 2; `stable` is on 2, and was on 1."""
    store = WrittenStore(tmp_path / "root")
    shelf = LocalShelf(tmp_path / "root" / "serving" / PIPELINE)
    for number, run_id in enumerate(("taxi-1", "taxi-2"), start=1):
        made = store.run(run_id, ("ExampleGen", "SchemaGen", "Trainer", "Evaluator"))
        served_versions.push(store, run_id, made["Trainer"])
        changes.announce(shelf, number, label="stable")
    return store


def session_of(store: WrittenStore) -> Session:
    return Session(address=Address(kind="sqlite", path=store.database))


@pytest.fixture
def token() -> Token:
    return Token()


@pytest.fixture
def client(written: WrittenStore, token: Token) -> TestClient:
    app = make_app(session_of(written), token)
    return TestClient(app, base_url="http://127.0.0.1:8400", raise_server_exceptions=False)


@pytest.fixture
def owner(client: TestClient, token: Token) -> TestClient:
    """A browser that opened the address with the token."""
    assert client.get(f"/?token={token.value}").status_code == 200
    return client


def live(written: WrittenStore) -> int | None:
    return labels.live(written.root / "serving" / PIPELINE)


@pytest.mark.parametrize(
    "page",
    [
        "/runs",
        "/runs/taxi-1",
        "/runs/taxi-1?artifacts=1",
        "/executions/1",
        "/artifacts/1",
        "/versions",
        f"/versions/{PIPELINE}/1",
        "/compare",
        "/compare?a=v1&b=v2",
        "/trace",
        "/trace?x=live",
        "/impact",
        "/impact?x=artifact:1",
        "/search",
        "/search?q=type%3DModel",
        "/search?q=kind%3Drun",
        "/doctor",
        "/doctor?files=1",
    ],
)
def test_every_page_answers_and_loads_nothing_foreign(client: TestClient, page: str):
    answer = client.get(page)
    assert answer.status_code == 200, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert not re.search(r"(?:src|href)=\"?https?:", answer.text)


def test_the_table_tells_runs_newest_first_and_filters_them(client: TestClient):
    text = client.get("/runs").text
    assert text.index("taxi-2") < text.index("taxi-1")
    assert "No run matches" in client.get("/runs?pipeline=other").text
    assert "taxi-1" in client.get("/runs?state=pushed").text
    assert client.get("/runs?since=never").status_code == 400


def test_an_empty_store_says_what_to_do(tmp_path: Path, token: Token):
    store = WrittenStore(tmp_path / "empty")
    store.store.get_artifact_types()
    client = TestClient(make_app(session_of(store), token), base_url="http://127.0.0.1")
    assert "no run yet" in client.get("/runs").text
    assert "No version has been pushed" in client.get("/versions").text


def test_a_store_that_is_away_is_told_and_comes_back(client: TestClient, written: WrittenStore):
    away = written.database.rename(written.database.with_name("away"))
    answer = client.get("/runs")
    assert answer.status_code == 503
    assert "no metadata store" in answer.text
    away.rename(written.database)
    assert client.get("/runs").status_code == 200


@pytest.mark.parametrize(
    "page",
    [
        "/nothing",
        "/runs/never",
        "/executions/999",
        "/artifacts/999",
        "/artifacts/999/page",
        "/versions/none/1",
        f"/versions/{PIPELINE}/99",
        "/static/app.py",
        "/static/..%2fapp.py",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, page: str):
    assert client.get(page).status_code == 404


def test_names_lead_to_their_pages(client: TestClient):
    for name, place in {
        "live": f"/versions/{PIPELINE}/2",
        "v1": f"/versions/{PIPELINE}/1",
        "taxi-1": "/runs/taxi-1",
        "artifact:1": "/artifacts/1",
        "execution:2": "/executions/2",
    }.items():
        answer = client.get("/find", params={"x": name}, follow_redirects=False)
        assert answer.headers["location"] == place


def test_a_page_says_when_what_it_shows_has_changed(client: TestClient, written: WrittenStore):
    before = client.get("/runs?state-only=1").json()
    assert client.get("/runs?state-only=1").json() == before
    written.node("taxi-2", "Trainer", state=Execution.RUNNING)
    assert client.get("/runs?state-only=1").json() != before
    assert "RUNNING" in client.get("/runs/taxi-2").text


def test_without_the_token_nothing_can_be_changed(client: TestClient, written: WrittenStore):
    page = client.get(f"/versions/{PIPELINE}/change?action=rollback")
    assert page.status_code == 200
    assert "<form method" not in page.text
    for given in ({}, {FIELD: ""}, {FIELD: "0" * 64}):
        answer = client.post(f"/versions/{PIPELINE}/change", data={"action": "rollback", **given})
        assert answer.status_code == 403
    assert live(written) == 2


def test_a_wrong_token_opens_nothing(client: TestClient):
    assert client.get("/?token=guess").status_code == 403
    assert not client.cookies


def test_the_cookie_is_for_this_site_only(client: TestClient, token: Token):
    answer = client.get(f"/?token={token.value}", follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_request_of_another_site_is_refused(owner: TestClient, token: Token, written):
    answer = owner.post(
        f"/versions/{PIPELINE}/change",
        data={"action": "rollback", FIELD: token.check},
        headers={"origin": "http://evil.example"},
    )
    assert answer.status_code == 403
    assert live(written) == 2


def test_another_name_for_this_machine_is_refused(client: TestClient):
    assert client.get("/runs", headers={"host": "rebound.example"}).status_code == 400


def test_getting_a_page_changes_nothing(owner: TestClient, written: WrittenStore):
    owner.get(f"/versions/{PIPELINE}/change?action=rollback")
    owner.get(f"/versions/{PIPELINE}/change?action=promote&version=1")
    assert live(written) == 2


def test_a_confirmed_rollback_moves_the_label_and_is_recorded(
    owner: TestClient, token: Token, written: WrittenStore
):
    page = owner.get(f"/versions/{PIPELINE}/change?action=rollback").text
    assert "version 1" in page
    data = {"action": "rollback", "label": "stable", "reason": SCRIPT, FIELD: token.check}
    answer = owner.post(f"/versions/{PIPELINE}/change", data=data)
    assert answer.status_code == 200, answer.text
    assert live(written) == 1
    assert SCRIPT not in answer.text
    kinds = [kind for kind in written.reader.execution_types() if kind.endswith("LabelChange")]
    [change] = written.reader.executions_of_type(kinds[0])
    assert change.text("reason") == SCRIPT
    assert change.text("action") == "rollback"


def test_a_confirmed_promotion_moves_the_label(
    owner: TestClient, token: Token, written: WrittenStore
):
    data = {"action": "promote", "version": "1", FIELD: token.check}
    assert owner.post(f"/versions/{PIPELINE}/change", data=data).status_code == 200
    assert live(written) == 1


@pytest.mark.parametrize(
    "data",
    [
        {"action": "delete"},
        {"action": "promote"},
        {"action": "promote", "version": "x"},
        {"action": "promote", "version": "99"},
        {"action": "promote", "version": "1", "label": "no label!"},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    owner: TestClient, token: Token, written: WrittenStore, data: dict[str, str]
):
    answer = owner.post(f"/versions/{PIPELINE}/change", data={**data, FIELD: token.check})
    assert answer.status_code in (400, 404)
    assert live(written) == 2


def test_foreign_text_stays_text_on_every_page(tmp_path: Path, token: Token):
    store = WrittenStore(tmp_path / "root", pipeline=SCRIPT)
    sendable = [text for text in HOSTILE if "\ud800" not in text and "\x00" not in text]
    artifacts = []
    for index, text in enumerate(sendable):
        made = store.node(
            f"run {index} {text}",
            "Trainer",
            inputs=artifacts[-1:],
            properties={text: text, "waybill_error": text, "waybill_log": text},
            of_artifact={text: text, "reason": text},
        )
        artifacts.append(made)
    client = TestClient(make_app(session_of(store), token), base_url="http://127.0.0.1")
    pages = ["/runs", "/search?q=type%3DModel", "/doctor", f"/impact?x=artifact:{artifacts[0]}"]
    pages += [f"/artifacts/{number}" for number in artifacts]
    pages += [f"/executions/{number}" for number in range(1, len(artifacts) + 1)]
    pages += ["/runs/" + _quoted(f"run {index} {text}") for index, text in enumerate(sendable)]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, (page, answer.text[:500])
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert "\x1b" not in answer.text
        assert "\u202e" not in answer.text


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def test_files_outside_of_an_artifact_are_not_shown(
    client: TestClient, written: WrittenStore, tmp_path: Path
):
    secret = tmp_path / "secret.html"
    secret.write_text("the secret")
    kind = written.node("taxi-1", "ModelCardGen")
    [artifact] = written.store.get_artifacts_by_id([kind])
    folder = Path(artifact.uri)
    type_id = written.store.put_artifact_type(_type("ModelCard"))
    artifact.type_id = type_id
    artifact.id = 0
    artifact.ClearField("id")
    [card] = written.store.put_artifacts([artifact])
    assert client.get(f"/artifacts/{card}/page").status_code == 404
    (folder / "model_card.html").symlink_to(secret)
    assert client.get(f"/artifacts/{card}/page").status_code == 404
    (folder / "model_card.html").unlink()
    (folder / "model_card.html").write_text(f"<h1>Card</h1>{SCRIPT}")
    answer = client.get(f"/artifacts/{card}/page")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "script-src" not in policy


def _type(name: str):
    from ml_metadata.proto import metadata_store_pb2

    return metadata_store_pb2.ArtifactType(name=name)


def test_a_log_is_shown_only_from_the_folder_of_logs(client: TestClient, written: WrittenStore):
    logs = written.root / "logs"
    logs.mkdir()
    (logs / "taxi-3.log").write_text("line of the log\n")
    (written.root / "secret").write_text("the secret")
    for name, path in (("good", logs / "taxi-3.log"), ("bad", logs / ".." / "secret")):
        written.node(f"taxi-{name}", "Trainer", properties={"waybill_log": str(path)})
    assert "line of the log" in client.get("/runs/taxi-good").text
    assert "the secret" not in client.get("/runs/taxi-bad").text


def test_the_page_of_one_run_alone_needs_nothing_else(written: WrittenStore):
    session = session_of(written)
    page = run_report(session, session.names.find("run:taxi-1"))
    assert "taxi-1" in page
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    assert 'id="execution-1"' in page
