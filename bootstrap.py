"""Makes `.venv` from `requirements.lock`, and makes that lock. Standard library only.

    python bootstrap.py                   set `.venv` up; an up-to-date one is left alone
    python bootstrap.py lock              bring the lock to what pyproject.toml asks for; versions
                                          that it still allows stay as they are
    python bootstrap.py lock --upgrade    take the newest versions that pyproject.toml allows

The lock's hashes decide what is installed; the environment only says where the registry is.
Written for Python 3.6 and newer, so that a wrong interpreter gets one line, not a SyntaxError.
"""

import ast
import contextlib
import hashlib
import importlib.util
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12), (3, 13))
STAMP = ".set-up"
# uv installs the rest; setuptools and wheel build what is published without a wheel.
SEEDS = ("uv", "setuptools", "wheel")
LOCK_HEADER = """\
# The whole stack: exact versions and hashes, for every supported platform and Python.
# Made by `make lock` from pyproject.toml. Do not edit.
"""
# Where the registry is and how to reach it. Every other PIP_* and UV_* variable is dropped.
REGISTRY_VARIABLE = re.compile(
    "PIP_((CLIENT_)?CERT|(DEFAULT_)?TIMEOUT|CACHE_DIR|CONFIG_FILE|INDEX_URL|PROXY|RETRIES"
    "|TRUSTED_HOST)"
    "|UV_(HTTP_(RETRIES|TIMEOUT)|CACHE_DIR|CONFIG_FILE|DEFAULT_INDEX|INDEX_URL|INSECURE_HOST"
    "|KEYRING_PROVIDER|NATIVE_TLS|SYSTEM_CERTS)"
)


class SetUpError(Exception):
    """The set-up cannot go on; the message is one line that says what to do."""


def unsupported_python(version: tuple, implementation: str) -> str:
    """Says what is wrong with an interpreter, such as `CPython` `(3, 10)`; or nothing."""
    if implementation == "CPython" and tuple(version) in PYTHONS:
        return ""
    name = "{} {}.{}".format(implementation.replace("CPython", "Python"), *version)
    return (
        f"{name} cannot run Waybill. Install Python 3.11 (3.12 and 3.13 work too) and name it: "
        "make PYTHON=/path/to/python3.11 <target>"
    )


def unsupported_platform(system: str, machine: str, release: tuple, python: tuple) -> str:
    """Says why there are no wheels for this machine, or nothing.

    Args:
        system: such as `Linux`.
        machine: such as `x86_64`.
        release: the version of glibc on Linux (empty for another C library) or of macOS.
        python: major and minor version of the interpreter.
    """
    if (system, machine) == ("Darwin", "arm64"):
        needed, name = (12, 0), "macOS"
    elif (system, machine) == ("Linux", "x86_64"):
        # Two of the stack's packages are built for glibc 2.39 only; on 3.11 older ones take over.
        needed, name = (2, 28) if python == (3, 11) else (2, 39), "glibc"
    else:
        return (
            f"Waybill's stack has no packages for {system} {machine}. It runs on Linux x86_64 "
            "(glibc 2.28 or newer) and on macOS arm64 (12 or newer)."
        )
    if tuple(release) >= needed:
        return ""
    has = ".".join(map(str, release)) if release else "another C library"
    hint = " Python 3.11 needs only 2.28." if name == "glibc" and needed > (2, 28) else ""
    return (
        f"Waybill's stack needs {name} {needed[0]}.{needed[1]} or newer for Python "
        f"{python[0]}.{python[1]}; this machine has {has}.{hint}"
    )


def system_release() -> tuple:
    """Returns the version of macOS or glibc as numbers; empty when there is none."""
    if platform.system() == "Darwin":
        text = platform.mac_ver()[0]
    else:
        try:
            text = os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (AttributeError, OSError, ValueError):
            text = ""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


def stamp(lock: bytes, root: pathlib.Path, python: tuple) -> str:
    """Returns what `.venv/.set-up` holds after a finished set-up.

    The path is part of it, because scripts in a virtual environment name their interpreter by it.
    """
    text = f"{root}\n{python[0]}.{python[1]}\n{hashlib.sha256(lock).hexdigest()}"
    return hashlib.sha256(text.encode()).hexdigest() + "\n"


def is_ready(venv: pathlib.Path, expected: str) -> bool:
    """Tells whether `venv` was finished with the `expected` stamp and still has its Python."""
    try:
        done = (venv / STAMP).read_text()
    except OSError:
        return False
    return done == expected and os.access(str(venv / "bin" / "python"), os.X_OK)


def preferred(lock: str) -> str:
    """Returns a lock in uv's own format that says which versions are chosen, and nothing else.

    It is taken by uv for one that is out of date: what is in it is kept where it can be, and asked
    of the registry again for everything that it lacks.

    Args:
        lock: the text of a `requirements.lock`.
    """
    entry = '[[package]]\nname = "{}"\nversion = "{}"\nsource = {{ registry = "unknown" }}\n'
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock, re.MULTILINE)
    header = 'version = 1\nrequires-python = ">={}.{}"\n'.format(*PYTHONS[0])
    return header + "".join("\n" + entry.format(*pin) for pin in pins)


def entries_of(lock: str, names: tuple) -> str:
    """Returns the entries of `names` in the text of a lock, hashes included."""
    found = {}
    for entry in re.split(r"\n(?=[A-Za-z0-9])", lock):
        found[re.split(r"[^A-Za-z0-9._-]", entry)[0].split("==")[0]] = entry
    missing = [name for name in names if name not in found]
    if missing:
        raise SetUpError(
            f"requirements.lock has no entry for {missing[0]}. Restore the file: "
            "git checkout requirements.lock"
        )
    return "\n".join(found[name] for name in names) + "\n"


def clean_environment(environ: dict) -> dict:
    """Returns `environ` without what could change where and what gets installed."""
    steering = ("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV")
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(steering) or REGISTRY_VARIABLE.fullmatch(name)
    }


def with_registry_of_pip(environ: dict, pip_config: str) -> dict:
    """Adds the registry that pip is configured for, in the words of uv, unless `environ` names one.

    `pip_config` is what `pip config list` prints: lines such as `global.cert='/etc/ca.pem'`.
    """
    told = {}
    for line in pip_config.splitlines():
        key, _, value = line.partition("=")
        told[key.rpartition(".")[2]] = " ".join(ast.literal_eval(value).split()) if value else ""
    result = dict(environ)
    if "UV_INDEX_URL" not in environ and told.get("index-url"):
        result.setdefault("UV_DEFAULT_INDEX", told["index-url"])
    for key, name in (
        ("cert", "SSL_CERT_FILE"),
        ("proxy", "ALL_PROXY"),
        ("trusted-host", "UV_INSECURE_HOST"),
    ):
        if told.get(key):
            result.setdefault(name, told[key])
    return result


def environment_of_uv(python: object) -> dict:
    """Returns the environment uv runs in; `python` is one whose pip says where the registry is."""
    environ = clean_environment(dict(os.environ))
    told = subprocess.check_output([str(python), "-m", "pip", "config", "list"], env=environ)
    return with_registry_of_pip(environ, told.decode())


def run(command: list, what: str, **options: object) -> None:
    """Runs one step of the set-up; a failing one is a `SetUpError`."""
    command = [str(word) for word in command]
    try:
        # In a session of its own Ctrl-C reaches only this process, and the step ends without noise.
        code = subprocess.call(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    except OSError as error:
        raise SetUpError(f"{what} failed: {error}.") from error
    if code:
        raise SetUpError(f"{what} failed (exit code {code}, see above). Run the command again.")


@contextlib.contextmanager
def only_one(path: pathlib.Path):
    """Holds the file lock `path`, waiting for another set-up that holds it; yields its handle."""
    import fcntl

    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up of .venv is running; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def say(text: str) -> None:
    """Prints one line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


def set_up(root: pathlib.Path) -> None:
    """Brings `root/.venv` to what `root/requirements.lock` says, unless it is there already."""
    venv, lock = root / ".venv", root / "requirements.lock"
    if not lock.is_file():
        raise SetUpError("requirements.lock is missing. Restore it: git checkout requirements.lock")
    expected = stamp(lock.read_bytes(), root, sys.version_info[:2])
    if is_ready(venv, expected):
        return
    with only_one(root / ".venv.lock") as handle:
        if not is_ready(venv, expected):
            # Steps that outlive a killed parent keep the lock through the inherited handle.
            partial = venv / (STAMP + ".partial")
            with contextlib.suppress(FileNotFoundError):
                (venv / STAMP).unlink()
            install(venv, lock, {"pass_fds": (handle.fileno(),), "cwd": str(root)})
            partial.write_text(expected)
            partial.replace(venv / STAMP)
            say("Set-up finished.")


def install(venv: pathlib.Path, lock: pathlib.Path, options: dict) -> None:
    """Makes `venv` anew and installs everything in `lock` into it, bytecode included."""
    version = platform.python_version()
    say(f"Setting up .venv with Python {version}: about 1 GB to download once, 4 GB on disk.")
    make_seeds(venv, lock.read_text(encoding="utf-8"), options)
    python, uv = venv / "bin" / "python", venv / "bin" / "uv"
    options = dict(options, env=environment_of_uv(python))
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    how = ["--python", python, "--require-hashes", "--no-build-isolation", "--compile-bytecode"]
    run([uv, "pip", "sync", *quiet, *how, lock], "Installing requirements.lock", **options)


def make_seeds(venv: pathlib.Path, lock: str, options: dict) -> None:
    """Makes `venv` anew and installs into it what installs the rest, as the text of `lock` says."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    if pathlib.Path(base).parent == venv / "bin":  # left by a set-up that was interrupted early
        base = os.path.realpath(base)
    if importlib.util.find_spec("ensurepip") is None:
        raise SetUpError(
            f"{base} comes without ensurepip. On Debian and Ubuntu: apt-get install "
            "python{}.{}-venv".format(*sys.version_info[:2])
        )
    pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--no-input"]
    once = ["--no-deps", "--no-compile", "--no-user", "--require-hashes"]
    options = dict(options, env=clean_environment(dict(os.environ)))
    with tempfile.TemporaryDirectory() as scratch:
        seeds = pathlib.Path(scratch) / "seeds.txt"
        seeds.write_text(entries_of(lock, SEEDS))
        run([base, "-m", "venv", "--clear", venv], f"Making {venv.name}", **options)
        run([*pip, *once, "-r", seeds], "Installing uv", **options)


def write_lock(root: pathlib.Path, upgrade: bool) -> None:
    """Brings `root/requirements.lock` to what `root/pyproject.toml` asks for.

    Needs no `.venv`, and leaves one alone: uv comes from the present lock, into a place of its own.

    Args:
        root: the folder of both files.
        upgrade: whether to take the newest versions, instead of those in the present lock.
    """
    lock = root / "requirements.lock"
    if not lock.is_file():
        raise SetUpError("requirements.lock is missing. Restore it: git checkout requirements.lock")
    present = lock.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        venv = pathlib.Path(scratch) / "venv"
        make_seeds(venv, present, {"cwd": scratch})
        kept = "" if upgrade else present
        text = resolve(venv / "bin", root / "pyproject.toml", kept)
    if "://" in text:
        raise SetUpError("The new lock names a host; requirements must come from the registry.")
    partial = root / "requirements.lock.partial"
    partial.write_text(LOCK_HEADER + text, encoding="utf-8")
    partial.replace(lock)
    say(f"Wrote {lock.name}. `make setup` installs it.")


def resolve(tools: pathlib.Path, project: pathlib.Path, kept: str) -> str:
    """Resolves `project` for every supported platform; returns exact versions with their hashes.

    Works in a directory of its own, since uv's own lock file names the registry's hosts.

    Args:
        tools: the folder that has `python` and `uv`.
        project: a `pyproject.toml`.
        kept: the text of a lock whose versions stay where they can; empty for the newest.
    """
    python, uv = ["--python", tools / "python"], tools / "uv"
    what = ["--frozen", "--no-emit-project", "--all-extras", "--all-groups", "--no-header"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        shutil.copy(str(project), scratch)
        if kept:
            (folder / "uv.lock").write_text(preferred(kept), encoding="utf-8")
        options = {"env": environment_of_uv(tools / "python"), "cwd": scratch}
        run([uv, "lock", *python], f"Resolving {project.name}", **options)
        exported = folder / "exported.txt"
        run([uv, "export", "--quiet", *python, *what, "-o", exported], "Exporting", **options)
        return exported.read_text(encoding="utf-8")


def main(arguments: list) -> int:
    """Checks the machine, then does what `arguments` ask; returns the exit code."""
    python = sys.version_info[:2]
    try:
        problem = unsupported_python(
            python, platform.python_implementation()
        ) or unsupported_platform(platform.system(), platform.machine(), system_release(), python)
        if problem:
            raise SetUpError(problem)
        if arguments not in ([], ["lock"], ["lock", "--upgrade"]):
            raise SetUpError("usage: python bootstrap.py [lock [--upgrade]]")
        if arguments:
            write_lock(ROOT, upgrade="--upgrade" in arguments)
        else:
            set_up(ROOT)
    except SetUpError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted. The same command starts the set-up again.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
