"""Makes the environments of the images from the lock files, without what only developers need.

    python docker/install.py stack /opt/waybill     what the pipeline stands on
    python docker/install.py project /opt/waybill   this project, beside it
    python docker/install.py airflow /opt/airflow   Airflow, which needs an environment of its own

`requirements.lock` has the developers' tools too. So the extras of pyproject.toml say what is
installed, and the lock, as constraints, which version and which hashes each package has: one
that has no entry there, or another content, is refused.
"""

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import bootstrap  # noqa: E402  its folder is known only now

LOCK = ROOT / "requirements.lock"
AIRFLOW = ROOT / "docker" / "airflow" / "requirements.lock"
INSTALL = ("install", "--no-cache", "--no-build-isolation", "--compile-bytecode")
# They install and build; an image has no use for them.
TOOLS = ("pip", "uv", "wheel")


def install_stack(environment: pathlib.Path) -> None:
    """Makes `environment` anew and installs the stack into it.

    Raises:
        SetUpError: a step failed; what it printed says why.
    """
    bootstrap.make_seeds(environment, LOCK.read_text(encoding="utf-8"), {})
    # What runs a compiled pipeline has to compile it, also for Kubeflow.
    extras = ["--extra", "stack", "--extra", "kubeflow"]
    what = ["--requirement", "pyproject.toml", *extras, "--constraints", LOCK]
    _uv(environment, [*INSTALL, "--require-hashes", *what], "Installing the stack")


def install_project(environment: pathlib.Path) -> None:
    """Installs this project into `environment`, and removes what has installed it.

    Raises:
        SetUpError: a step failed; what it printed says why.
    """
    _uv(environment, [*INSTALL, "--no-deps", ROOT], "Installing Waybill")
    _uv(environment, ["uninstall", *TOOLS], "Removing the installers")


def install_airflow(environment: pathlib.Path) -> None:
    """Makes `environment` anew and installs Airflow into it.

    Raises:
        SetUpError: a step failed; what it printed says why.
    """
    bootstrap.make_seeds(environment, LOCK.read_text(encoding="utf-8"), {})
    what = ["--require-hashes", "--requirement", AIRFLOW]
    _uv(environment, [*INSTALL, *what], "Installing Airflow")
    _uv(environment, ["uninstall", *TOOLS], "Removing the installers")


def _uv(environment: pathlib.Path, words: list, what: str) -> None:
    python, uv = environment / "bin" / "python", environment / "bin" / "uv"
    command = [uv, "pip", words[0], "--quiet", "--python", python, *words[1:]]
    # The overrides in pyproject.toml count only for a uv that is started beside it.
    bootstrap.run(command, what, env=bootstrap.environment_of_uv(python), cwd=str(ROOT))


INSTALLERS = {"stack": install_stack, "project": install_project, "airflow": install_airflow}


def main() -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=INSTALLERS, help="what to install")
    parser.add_argument("environment", type=pathlib.Path, help="the folder of the environment")
    args = parser.parse_args()
    try:
        INSTALLERS[args.what](args.environment.absolute())
    except bootstrap.SetUpError as error:
        bootstrap.say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
