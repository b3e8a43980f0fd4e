"""The compiled pipeline in this folder as an Airflow DAG, for Airflow 3.

`python -m pipeline.compile --target airflow` puts this file there; it is the same for every
pipeline, and `airflow.json` beside it says what differs. It needs Airflow and nothing else: what
the tasks run has an environment, or an image, of its own.

Where things are on this installation is said by Variables of Airflow: `waybill` for all pipelines,
and `waybill_<pipeline>`.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import (
    DAG,
    BaseOperator,
    BaseOperatorLink,
    BaseSensorOperator,
    CronDataIntervalTimetable,
    DeadlineAlert,
    DeadlineReference,
    Param,
    SyncCallback,
    Variable,
)
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

HERE = Path(__file__).parent
FLAGS = ("root", "data", "metadata")
SKIPPED, TEMPORARY = 99, 75
MEANINGS = {
    1: "a node failed, and would fail again",
    2: "a flag, a parameter or a path is wrong",
    3: "the data broke its contract; nothing was trained",
    4: "the model is not good enough; it is not pushed",
    5: "the model cannot be served; it is not pushed",
}
# Training saves before it ends.
GRACE_S = 45
DIGITS_OF_A_SPAN = 10


class LineageLink(BaseOperatorLink):
    """A button on each task: the page of its run in the lineage server."""

    name = "Lineage of this run"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """The address of the page."""
        about = operator.about
        return f"{about['lineage_url'].rstrip('/')}/runs/{quote(run_of(about, ti_key.run_id))}"


class RunNodes(BaseOperator):
    """Runs a command of the pipeline's own environment as a process of this worker.

    Args:
        about: what `airflow.json` says.
        command: gives the command, when Airflow knows the run.
    """

    template_fields: Sequence[str] = ("command",)
    ui_color = "#e8f0e8"

    def __init__(
        self, *, about: Mapping[str, Any], command: Callable[..., list[str]], **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.about = about
        self.command: Any = command
        self.hook = SubprocessHook()

    def execute(self, context: Mapping[str, Any]) -> None:
        """Runs the command to its end, and says what its exit code means."""
        # Airflow's settings hold its secrets, and its paths would bring in its own libraries.
        own = {
            name: value
            for name, value in os.environ.items()
            if "AIRFLOW" not in name and name not in ("PYTHONPATH", "PYTHONHOME")
        }
        result = self.hook.run_command(
            [*_with_this_process(), *self.command], env=own, cwd=place(self.about).get("project")
        )
        end(result.exit_code, result.output)

    def on_kill(self) -> None:
        """Interrupts the process; it saves what it can."""
        process = self.hook.sub_process
        if process is None or process.poll() is not None:
            return
        self.hook.send_sigterm()
        try:
            process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


class WaitForData(BaseSensorOperator):
    """Waits, without a process of its own, until a file of the run's span is there.

    Args:
        about: what `airflow.json` says.
    """

    template_fields: Sequence[str] = ("patterns",)

    def __init__(self, *, about: Mapping[str, Any], **kwargs: Any):
        super().__init__(mode="reschedule", **kwargs)
        self.patterns: Any = _Patterns(about)

    def poke(self, context: Mapping[str, Any]) -> bool:
        """Whether any file is there."""
        self.log.info("Looking for %s", self.patterns[0])
        return any(glob.glob(pattern) for pattern in self.patterns)  # noqa: PTH207


class _Patterns:
    """The patterns of the files of a run's span, any of which will do."""

    def __init__(self, about: Mapping[str, Any]):
        self.about = about

    def __call__(self, *, context: Mapping[str, Any], **_: Any) -> list[str]:
        folder = context["params"].get("data") or place(self.about).get("data")
        if folder is None:
            raise AirflowFailException(f"The Variable {self.about['variable']} has no data.")
        span = span_of(self.about, context)
        return [
            f"{glob.escape(str(folder))}/{pattern}"
            for pattern in patterns_of(self.about["spans"]["pattern"], span)
        ]


class _Command:
    """The command of a task; the flags follow from the run and from this installation."""

    def __init__(self, about: Mapping[str, Any], nodes: Sequence[str]):
        self.about = about
        self.nodes = nodes

    def __call__(self, *, context: Mapping[str, Any], **_: Any) -> list[str]:
        there = place(self.about)
        params = context["params"]
        command = [there["python"], "-m"]
        values = {name: there[name] for name in self.about["parameters"] if name in there}
        if not self.nodes:
            known = values.get("metadata") or self.about["metadata"]
            store = known or f"{values['root']}/metadata.db"
            return [*command, "pipeline.init_store", f"--metadata={store}"]
        if params.get("data"):
            values["data"] = params["data"]
        command += ["pipeline.run_node", f"--ir={there['ir']}", f"--node={','.join(self.nodes)}"]
        command.append(f"--run-id={context['run_id']}")
        for name, value in values.items():
            command.append(f"--{name}={value}" if name in FLAGS else f"--param={name}={value}")
        span = span_of(self.about, context)
        if span is not None:
            command.append(f"--span={span}")
        if params.get("fresh"):
            command.append("--fresh")
        return command


class _Notify:
    """Tells somebody that a run failed; what it calls is imported only then."""

    def __init__(self, whom: Mapping[str, Any]):
        self.whom = whom

    def __call__(self, context: Any) -> None:
        module, _, name = self.whom["call"].rpartition(".")
        called = getattr(import_module(module), name)
        values = self.whom["with_values"]
        if isinstance(called, type):
            called(**values)(context)
        else:
            called(context=context, **values)


def place(about: Mapping[str, Any]) -> dict[str, Any]:
    """Where things are on this installation: the pipeline's Variable over that of all pipelines.

    Raises:
        AirflowFailException: it is incomplete, or the pipeline's has keys that nothing reads.
    """
    name = about["variable"]
    shared = Variable.get("waybill", default={}, deserialize_json=True)
    own = Variable.get(name, default={}, deserialize_json=True)
    known = {"python", "project", "ir", *about["parameters"]}
    unknown = sorted(own.keys() - known)
    if unknown:
        raise AirflowFailException(
            f"The Variable {name} has keys that nothing reads: {', '.join(unknown)}. "
            f"Known are {', '.join(sorted(known))}."
        )
    found = {**{key: value for key, value in shared.items() if key in known}, **own}
    needed = ("root",) if about["executor"] == "kubernetes" else ("python", "root")
    if any(not found.get(key) for key in needed):
        example = {"python": "/srv/waybill/.venv/bin/python", "root": "/mnt/waybill"}
        raise AirflowFailException(
            f"The Variable {name}, or waybill for all pipelines, has to hold JSON with "
            f"{' and '.join(needed)}: airflow variables set {name} '{json.dumps(example)}'"
        )
    return {"python": "python", "ir": str(HERE), **found}


def run_of(about: Mapping[str, Any], run_id: str) -> str:
    """The run's name in ML Metadata."""
    prefix = f"{about['name']}-"
    return run_id if run_id.startswith(prefix) else prefix + run_id


def span_of(about: Mapping[str, Any], context: Mapping[str, Any]) -> int | None:
    """The span that a run reads: that of its parameters, or of its data interval's first day.

    Returns:
        Its number; None for what the configuration says.
    """
    spans = about["spans"]
    if spans is None:
        return None
    given = context["params"].get("span")
    start: datetime | None = context.get("data_interval_start")
    if given is not None or start is None or not spans["of_interval"]:
        return given
    day = start.astimezone(ZoneInfo(about["timezone"])).date()
    return (day - date.fromisoformat(spans["zero"])).days


def patterns_of(pattern: str, span: int | None) -> list[str]:
    """Globs of the files of a span; a span's number may be written with zeros before it.

    Args:
        pattern: of the data's path, with `{SPAN}` or `{YYYY}`, `{MM}` and `{DD}`.
        span: its number; None for any.
    """
    pattern = re.sub(r"\{VERSION[^}]*\}", "*", pattern)
    if span is None:
        return [re.sub(r"\{[A-Z]+[^}]*\}", "*", pattern)]
    day = date(1970, 1, 1) + timedelta(span)
    for place_of, text in {"YYYY": f"{day:%Y}", "MM": f"{day:%m}", "DD": f"{day:%d}"}.items():
        pattern = pattern.replace(f"{{{place_of}}}", text)
    widths = [int(width) for width in re.findall(r"\{SPAN:(\d+)\}", pattern)]
    found = []
    for width in widths or range(len(str(span)), DIGITS_OF_A_SPAN + 1):
        found.append(re.sub(r"\{SPAN[^}]*\}", f"{span:0{width}d}", pattern))
    return list(dict.fromkeys(found))


def end(code: int | None, said: str = "") -> None:
    """Ends a task as its command ended.

    Args:
        code: the exit code; negative, or above 128, for a signal; None where it is not known.
        said: the last line of the command.

    Raises:
        AirflowSkipException: a condition of the pipeline skipped the nodes.
        AirflowFailException: another attempt would end in the same way.
        AirflowException: another attempt is worth its time.
    """
    if code == 0:
        return
    if code == SKIPPED:
        raise AirflowSkipException("Every node was skipped by a condition of the pipeline.")
    if code is None or code == TEMPORARY or code < 0 or code > 128:
        raise AirflowException(f"Exit code {code}: another attempt may go well. {said}".strip())
    raise AirflowFailException(f"Exit code {code}: {MEANINGS.get(code, 'unknown')}. {said}".strip())


def _with_this_process() -> list[str]:
    """Lets the process end with the task that started it, so that no two write at once."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _pod_operator() -> type[BaseOperator]:
    """The operator for pods; its provider takes seconds to import."""
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    class RunNodesInPod(KubernetesPodOperator):
        """Runs a command of the pipeline's image as a pod."""

        def cleanup(self, pod: Any, remote_pod: Any, *args: Any, **kwargs: Any) -> None:
            """Removes the pod, and says what its exit code means."""
            try:
                super().cleanup(pod, remote_pod, *args, **kwargs)
            except AirflowException:
                end(_exit_code(remote_pod, self.base_container_name))
                raise

    return RunNodesInPod


def _exit_code(pod: Any, container: str) -> int | None:
    """How the container of a pod ended; None where Kubernetes does not know."""
    for status in (pod.status and pod.status.container_statuses) or ():
        if status.name == container and status.state and status.state.terminated:
            return int(status.state.terminated.exit_code)
    return None


def make_dag(about: Mapping[str, Any]) -> DAG:
    """The DAG: a task for each task of the compiled pipeline, and what goes before them."""
    start = about["start_date"]
    with DAG(
        dag_id=about["name"],
        description=about["title"],
        doc_md=about["doc"],
        schedule=CronDataIntervalTimetable(about["schedule"], timezone=about["timezone"])
        if about["schedule"]
        else None,
        start_date=start
        and datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(about["timezone"])),
        catchup=about["catchup"],
        max_active_runs=about["max_active_runs"],
        dagrun_timeout=_seconds(about["run_timeout_s"]),
        on_failure_callback=[_Notify(whom) for whom in about["on_failure"]] or None,
        deadline=_deadline(about),
        params={name: Param(**param) for name, param in about["params"].items()},
        tags=["waybill", *about["tags"]],
    ) as dag:
        _add_tasks(about)
    return dag


def _add_tasks(about: Mapping[str, Any]) -> None:
    """Adds the tasks to the DAG at hand."""
    pod = _pod_operator() if about["executor"] == "kubernetes" else None
    shared = {"owner": about["owner"], **({"pool": about["pool"]} if about["pool"] else {})}

    def attempts(task: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "retries": task["retries"],
            "retry_delay": _seconds(task["retry_delay_s"]),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": _seconds(about["retry_delay_limit_s"]),
        }

    def add(task: Mapping[str, Any]) -> BaseOperator:
        command = _Command(about, task["nodes"])
        common: dict[str, Any] = {
            "task_id": task["name"],
            "doc_md": task["doc"],
            **attempts(task),
            "execution_timeout": _seconds(task["timeout_s"]),
            # Runs may overlap in a backfill, but what is live in their one root follows an order.
            "max_active_tis_per_dag": 1,
            **shared,
        }
        if pod is None:
            made = RunNodes(about=about, command=command, **common)
        else:
            made = pod(
                name=f"{about['name']}-{task['name']}".lower().replace("_", "-"),
                pod_template_dict=task["pod"],
                cmds=command,
                namespace=about["pod"]["namespace"],
                kubernetes_conn_id=about["pod"]["connection"],
                in_cluster=None if about["pod"]["connection"] else True,
                startup_timeout_seconds=about["pod"]["startup_timeout_s"],
                log_pod_spec_on_failure=False,
                **common,
            )
            made.about = about
        if about["lineage_url"]:
            made.operator_extra_links = (LineageLink(),)
        return made

    roots = [task for task in about["tasks"] if not task["upstream"]]
    first: list[BaseOperator] = []
    if about["wait_for_data"]:
        waits = WaitForData(
            task_id="wait_for_data",
            about=about,
            poke_interval=about["wait_every_s"],
            timeout=about["wait_at_most_s"],
            doc_md="Waits for the files of the run's span.",
            **attempts(roots[0]),
            **shared,
        )
        first.append(waits)
    if len(roots) > 1:
        # Two first connections to an empty store at once break each other.
        doc = "Makes the tables of the metadata store, where it has none."
        made = add({**roots[0], "name": "init_store", "nodes": (), "doc": doc})
        made.set_upstream(first)
        first = [made]
    added = {task["name"]: add(task) for task in about["tasks"]}
    for task in about["tasks"]:
        added[task["name"]].set_upstream([added[name] for name in task["upstream"]] or first)


def _seconds(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)


def _deadline(about: Mapping[str, Any]) -> DeadlineAlert | None:
    whom = about["on_deadline"]
    if whom is None:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=about["deadline_s"]),
        callback=SyncCallback(whom["call"], kwargs=whom["with_values"]),
    )


dag = make_dag(json.loads((HERE / "airflow.json").read_text(encoding="utf-8")))
