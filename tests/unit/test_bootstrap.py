import functools
import hashlib
import http.server
import pathlib
import subprocess
import sys
import threading
import zipfile

import pytest

import bootstrap

LOCK = """\
# comment
uv==0.9.1 ; sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via waybill
uvloop==1.0 \\
    --hash=sha256:cc
wheel==0.45.0 \\
    --hash=sha256:dd
"""


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_pythons_are_accepted(version):
    assert bootstrap.unsupported_python(version, "CPython") == ""


@pytest.mark.parametrize(
    ("version", "implementation", "named"),
    [((3, 10), "CPython", "Python 3.10"), ((3, 14), "CPython", "3.14"), ((3, 11), "PyPy", "PyPy")],
)
def test_other_interpreters_are_named_with_the_fix_in_one_line(version, implementation, named):
    message = bootstrap.unsupported_python(version, implementation)
    assert message.startswith(named) or named in message
    assert "make PYTHON=" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("system", "machine", "release", "python"),
    [
        ("Linux", "x86_64", (2, 28), (3, 11)),
        ("Linux", "x86_64", (2, 39), (3, 13)),
        ("Darwin", "arm64", (12, 0), (3, 11)),
        ("Darwin", "arm64", (15, 1), (3, 12)),
    ],
)
def test_supported_platforms_are_accepted(system, machine, release, python):
    assert bootstrap.unsupported_platform(system, machine, release, python) == ""


@pytest.mark.parametrize(
    ("system", "machine", "release", "python", "said"),
    [
        ("Windows", "AMD64", (), (3, 11), "Windows AMD64"),
        ("Linux", "aarch64", (2, 36), (3, 11), "Linux aarch64"),
        ("Darwin", "x86_64", (14, 0), (3, 11), "Darwin x86_64"),
        ("Darwin", "arm64", (11, 7), (3, 11), "has 11.7"),
        ("Linux", "x86_64", (2, 17), (3, 11), "glibc 2.28"),
        ("Linux", "x86_64", (), (3, 11), "another C library"),
        ("Linux", "x86_64", (2, 36), (3, 12), "Python 3.11 needs only 2.28"),
    ],
)
def test_other_platforms_are_named_in_one_line(system, machine, release, python, said):
    message = bootstrap.unsupported_platform(system, machine, release, python)
    assert said in message
    assert "\n" not in message


@pytest.fixture
def make_venv(tmp_path):
    def make(stamp: str) -> pathlib.Path:
        venv = tmp_path / ".venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").symlink_to(sys.executable)
        (venv / bootstrap.STAMP).write_text(stamp)
        return venv

    return make


def test_finished_set_up_is_recognised(make_venv):
    assert bootstrap.is_ready(make_venv("abc\n"), "abc\n")


def test_set_up_of_another_lock_is_not_taken_for_finished(make_venv):
    assert not bootstrap.is_ready(make_venv("abc\n"), "other\n")


def test_interrupted_set_up_is_not_taken_for_finished(make_venv):
    venv = make_venv("abc\n")
    (venv / bootstrap.STAMP).unlink()
    assert not bootstrap.is_ready(venv, "abc\n")


def test_set_up_whose_python_is_gone_is_not_taken_for_finished(make_venv):
    venv = make_venv("abc\n")
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(venv / "gone")
    assert not bootstrap.is_ready(venv, "abc\n")


def test_stamp_depends_on_lock_place_and_python(tmp_path):
    stamps = {
        bootstrap.stamp(b"lock", tmp_path, (3, 11)),
        bootstrap.stamp(b"lock2", tmp_path, (3, 11)),
        bootstrap.stamp(b"lock", tmp_path / "moved", (3, 11)),
        bootstrap.stamp(b"lock", tmp_path, (3, 12)),
    }
    assert len(stamps) == 4


def test_entries_come_with_their_hashes_and_without_their_neighbours():
    entries = bootstrap.entries_of(LOCK, ("uv", "wheel"))
    assert "--hash=sha256:bb" in entries
    assert "--hash=sha256:dd" in entries
    assert "uvloop" not in entries


def test_missing_entry_is_an_error_that_names_it():
    with pytest.raises(bootstrap.SetUpError, match="setuptools"):
        bootstrap.entries_of(LOCK, ("uv", "setuptools"))


def test_project_lock_has_what_the_set_up_starts_with_and_no_host():
    text = (bootstrap.ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert bootstrap.entries_of(text, bootstrap.SEEDS).count("==") >= len(bootstrap.SEEDS)
    assert "://" not in text


def test_environment_keeps_the_registry_and_drops_what_steers_the_install():
    environ = {
        "HOME": "/home",
        "SSL_CERT_FILE": "/ca.pem",
        "PIP_INDEX_URL": "https://mirror/simple",
        "PIP_FIND_LINKS": "/wheels",
        "PIP_TARGET": "/elsewhere",
        "UV_PYTHON": "3.9",
        "UV_NO_INDEX": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "/elsewhere",
        "VIRTUAL_ENV": "/elsewhere",
    }
    assert set(bootstrap.clean_environment(environ)) == {"HOME", "SSL_CERT_FILE", "PIP_INDEX_URL"}


def test_registry_that_pip_is_configured_for_is_handed_on():
    config = "global.index-url='https://mirror/simple'\n:env:.cert='/ca.pem'\nglobal.user='yes'\n"
    assert bootstrap.with_registry_of_pip({}, config) == {
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_environment_wins_over_the_configuration_of_pip():
    environ = {"UV_INDEX_URL": "https://mine/simple", "SSL_CERT_FILE": "/mine.pem"}
    config = "global.index-url='https://mirror/simple'\nglobal.cert='/ca.pem'\n"
    assert bootstrap.with_registry_of_pip(environ, config) == environ


def test_failing_step_is_named():
    with pytest.raises(bootstrap.SetUpError, match=r"Doing it failed \(exit code 3"):
        bootstrap.run([sys.executable, "-c", "raise SystemExit(3)"], "Doing it")


def test_set_up_without_a_lock_says_how_to_get_it_back(tmp_path):
    with pytest.raises(bootstrap.SetUpError, match="git checkout"):
        bootstrap.set_up(tmp_path)


def test_second_set_up_waits_for_the_first(tmp_path):
    code = (
        "import sys, pathlib, bootstrap\n"
        "with bootstrap.only_one(pathlib.Path(sys.argv[1])):\n    print('entered')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with bootstrap.only_one(tmp_path / "lock"):
        second = subprocess.Popen(
            command, cwd=bootstrap.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert second.stderr is not None
        assert "waiting" in second.stderr.readline()
        assert second.poll() is None
    out, _ = second.communicate()
    assert out == "entered\n"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry that has `pebble` in the versions 1.0 and 2.0; gives its address and folder."""
    root = tmp_path_factory.mktemp("registry")
    folder = root / "simple" / "pebble"
    folder.mkdir(parents=True)
    links = []
    for version in ("1.0", "2.0"):
        wheel, info = folder / f"pebble-{version}-py3-none-any.whl", f"pebble-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: pebble\nVersion: {version}\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        links.append(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>')
    (folder / "index.html").write_text("".join(links))
    handler = functools.partial(QuietHandler, directory=root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/simple", folder
        server.shutdown()


@pytest.fixture
def project(tmp_path, registry, monkeypatch) -> pathlib.Path:
    """A project that asks for `pebble`, in an environment that names the registry."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", registry[0])
    monkeypatch.delenv("UV_INDEX_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "project" / "pyproject.toml"
    path.parent.mkdir()
    path.write_text(
        "[project]\n"
        "name = 'beach'\n"
        "version = '0'\n"
        "requires-python = '>=3.11,<3.14'\n"
        "dependencies = ['pebble']\n"
    )
    return path


LOCKED = "pebble==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:aa\n    # via beach\n"
TOOLS = pathlib.Path(sys.executable).parent


def test_versions_in_the_lock_are_kept(project):
    assert bootstrap.resolve(TOOLS, project, LOCKED).startswith("pebble==1.0 ")


def test_new_lock_has_the_hash_of_what_it_names_and_no_host(project, registry):
    text = bootstrap.resolve(TOOLS, project, LOCKED)
    digest = hashlib.sha256((registry[1] / "pebble-1.0-py3-none-any.whl").read_bytes())
    assert f"sha256:{digest.hexdigest()}" in text
    assert "sha256:aa" not in text
    assert "://" not in text


def test_upgrade_takes_the_newest_versions(project):
    assert bootstrap.resolve(TOOLS, project, "").startswith("pebble==2.0 ")


def test_version_that_the_project_no_longer_allows_is_replaced(project):
    project.write_text(project.read_text().replace("'pebble'", "'pebble>1'"))
    assert bootstrap.resolve(TOOLS, project, LOCKED).startswith("pebble==2.0 ")


def test_resolving_leaves_nothing_beside_the_project(project):
    bootstrap.resolve(TOOLS, project, LOCKED)
    assert list(project.parent.iterdir()) == [project]


def test_lock_cannot_be_made_without_the_present_one(tmp_path):
    with pytest.raises(bootstrap.SetUpError, match="git checkout"):
        bootstrap.write_lock(tmp_path, upgrade=True)
