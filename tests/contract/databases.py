"""Real database servers for tests: started once a session on a free port, stopped by their id.

A test asks for a fixture, which `tests/conftest.py` knows, and gets addresses of new, empty
databases.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.ports import free_port

_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running database server.

    Attributes:
        kind: `postgresql` or `mysql`.
        port: on 127.0.0.1.
        user: owns every database that is made.
        password: of that user.
        folder: of its socket.
    """

    kind: str
    port: int
    user: str
    password: str
    folder: Path

    def new_database(self) -> str:
        """Makes an empty database; returns its address."""
        name = f"metadata_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"{self.kind}://{self.user}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, *, database: str = "") -> str:
        """Runs a statement as the user; returns what the client prints."""
        if self.kind == "postgresql":
            client = [
                *(_binary("psql"), "-v", "ON_ERROR_STOP=1", "-tAc", statement),
                f"host=127.0.0.1 port={self.port} user={self.user} dbname={database or 'postgres'}",
            ]
        else:
            client = [_binary("mariadb"), "--host=127.0.0.1", f"--port={self.port}"]
            client += [f"--user={self.user}", "-BNe", statement, *([database] if database else [])]
        environment = {"PGPASSWORD": self.password, "MYSQL_PWD": self.password}
        done = subprocess.run(
            client, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server that asks for a password."""
    _require("initdb", "postgres", "psql")
    with _folder("postgres") as folder:
        server = Server(
            kind="postgresql",
            port=free_port(),
            user="waybill",
            password=secrets.token_hex(8),
            folder=folder,
        )
        secret = folder / "password"
        secret.write_text(server.password)
        data = folder / "data"
        making = [_binary("initdb"), "-D", data, "-U", server.user, f"--pwfile={secret}", "-N"]
        _run_as("postgres", [*making, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"], folder)
        command = [_binary("postgres"), "-D", data, "-p", str(server.port), "-F"]
        command += ["-c", "listen_addresses=127.0.0.1", "-k", folder]
        with _running("postgres", command, folder, stop=signal.SIGINT):
            _wait(server)
            yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server that asks for a password."""
    _require("mariadbd", "mariadb-install-db", "mariadb")
    with _folder("mysql") as folder:
        server = Server(
            kind="mysql",
            port=free_port(),
            user="waybill",
            password=secrets.token_hex(8),
            folder=folder,
        )
        data = folder / "data"
        making = [_binary("mariadb-install-db"), "--no-defaults", f"--datadir={data}"]
        making += [f"--tmpdir={folder}", "--skip-test-db"]
        _run_as("mysql", [*making, "--auth-root-authentication-method=normal"], folder)
        first = folder / "first.sql"
        first.write_text(
            f"CREATE USER '{server.user}'@'%' IDENTIFIED BY '{server.password}';\n"
            f"GRANT ALL ON *.* TO '{server.user}'@'%' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS ''@'localhost';\n"
        )
        command = [
            *(_binary("mariadbd"), "--no-defaults", f"--datadir={data}", f"--port={server.port}"),
            *(
                f"--tmpdir={folder}",
                "--bind-address=127.0.0.1",
                f"--socket={folder}/s",
                f"--pid-file={folder}/pid",
            ),
            *("--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve", f"--init-file={first}"),
        ]
        with _running("mysql", command, folder, stop=signal.SIGTERM):
            _wait(server)
            yield server


class MetadataService:
    """ML Metadata's gRPC service in front of the store of its Python package.

    The server of ML Metadata is a binary that no Python package holds. This one is a stand-in:
    grpcio answers the published service, and each call goes to the C++ store of the package, as
    the binary's do.
    """

    def __init__(self, config: Any) -> None:
        import ml_metadata
        from ml_metadata.metadata_store.pywrap.metadata_store_extension import (
            metadata_store as native,
        )
        from ml_metadata.proto import (
            metadata_store_service_pb2 as messages,
        )
        from ml_metadata.proto import (
            metadata_store_service_pb2_grpc as services,
        )

        store = ml_metadata.MetadataStore(config)
        service = messages.DESCRIPTOR.services_by_name["MetadataStoreService"]
        servicer = services.MetadataStoreServiceServicer()
        for method in service.methods:
            call = getattr(native, method.name, None)
            if call is not None:
                answer = getattr(messages, method.output_type.name)
                setattr(servicer, method.name, _answer(store, call, answer))
        # One thread: the store of the package is one connection.
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
        services.add_MetadataStoreServiceServicer_to_server(servicer, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @property
    def address(self) -> str:
        """As the command takes it."""
        return f"grpc://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Ends it."""
        self._server.stop(grace=None).wait()


def _answer(store: Any, call: Any, message: Any) -> Any:
    def answer(request: Any, context: Any) -> Any:
        response, text, code = call(store._metadata_store, request.SerializeToString())
        if code != 0:
            status = next(item for item in grpc.StatusCode if item.value[0] == code)
            context.abort(status, text.decode(errors="replace"))
        return message.FromString(response)

    return answer


def _binary(name: str) -> str:
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), "/usr/sbin", "/usr/bin"]
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, places)))
    return found or ""


def _require(*names: str) -> None:
    missing = [name for name in names if not _binary(name)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")


@contextlib.contextmanager
def _folder(user: str) -> Iterator[Path]:
    """A folder that the user of the server may write to; these servers refuse to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as(user: str) -> dict[str, Any]:
    return {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}


def _run_as(user: str, command: list[Any], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, **_as(user)
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def _running(
    user: str, command: list[Any], folder: Path, *, stop: signal.Signals
) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **_as(user)
        )
    try:
        yield
    except AssertionError as error:
        error.add_note((folder / "log").read_text(errors="replace")[-2000:])
        raise
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Server) -> None:
    """Returns when the server answers."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            server.execute("SELECT 1")
            return
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
