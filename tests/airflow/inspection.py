"""Runs in the environment with Airflow: reads a DAG file as Airflow does, and says what it found.

python inspection.py FILE parse|spans|ends|pod|nowhere
"""

import json
import os
import runpy
import sys
import time
from datetime import UTC, datetime
from typing import Any

RUN = "manual__2026-01-03T00:00:00+00:00"


def parse(found: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the DAG is, the processor time of reading it, and which packages it brought in."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = found["dag"]
    DagSerialization.to_dict(dag)
    return {
        "seconds": seconds,
        "packages": sorted({name.partition(".")[0] for name in sys.modules}),
        "dag": dag.dag_id,
        "doc": dag.doc_md,
        "params": list(dag.params),
        "tasks": {
            task.task_id: {
                "upstream": sorted(task.upstream_task_ids),
                "doc": task.doc_md,
                "retries": task.retries,
                "delay": task.retry_delay.total_seconds(),
                "backoff": task.retry_exponential_backoff,
                "longest_delay": task.max_retry_delay and task.max_retry_delay.total_seconds(),
                "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
                "pool": task.pool,
            }
            for task in dag.tasks
        },
    }


def spans(found: dict[str, Any], _: float) -> dict[str, Any]:
    """Spans of intervals and parameters, and the files that are waited for."""
    about = json.loads(found["HERE"].joinpath("airflow.json").read_text())
    midnight = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    contexts = {
        "interval": {"params": {"span": None}, "data_interval_start": midnight},
        "parameter": {"params": {"span": 7}, "data_interval_start": midnight},
        "neither": {"params": {"span": None}},
    }
    patterns = found["patterns_of"]
    return {
        **{name: found["span_of"](about, context) for name, context in contexts.items()},
        "dated": patterns("{YYYY}-{MM}-{DD}/v{VERSION}/*.csv", 20454),
        "any": patterns("{YYYY}-{MM}-{DD}/*.csv", None),
        "width": patterns("span-{SPAN:4}/x.csv", 7),
        "free": patterns("span-{SPAN}/x.csv", 7)[:3],
    }


def ends(found: dict[str, Any], _: float) -> dict[str, Any]:
    """What each exit code becomes, for a process and for a pod."""
    from kubernetes.client import models as k8s

    answers: dict[str, Any] = {}
    for code in (0, 1, 2, 3, 4, 5, 75, 99, 130, 137, -9):
        terminated = k8s.V1ContainerStateTerminated(exit_code=code)
        status = k8s.V1ContainerStatus(
            name="base",
            image="",
            image_id="",
            ready=False,
            restart_count=0,
            state=k8s.V1ContainerState(terminated=terminated),
        )
        pod = k8s.V1Pod(status=k8s.V1PodStatus(container_statuses=[status]))
        try:
            found["end"](found["_exit_code"](pod, "base"))
            answers[str(code)] = "success"
        except Exception as error:
            answers[str(code)] = type(error).__name__
    return answers


def pod(found: dict[str, Any], _: float) -> dict[str, Any]:
    """The pod that Airflow would ask Kubernetes for, of each task."""
    from kubernetes.client import ApiClient

    built = {}
    for task in found["dag"].tasks:
        context = {"run_id": RUN, "params": {"fresh": True}}
        # Outside of a cluster, of an address that nobody answers at: nothing is asked of it.
        task.in_cluster, task.config_file = False, os.environ["KUBECONFIG"]
        task.cmds = task.cmds(context=context)
        request = task.build_pod_request_obj()
        built[task.task_id] = ApiClient().sanitize_for_serialization(request)
    return built


def nowhere(found: dict[str, Any], _: float) -> dict[str, Any]:
    """What a task says where no Variable tells where things are."""
    try:
        found["dag"].tasks[0].command(context={"run_id": RUN, "params": {}})
    except Exception as error:
        return {"kind": type(error).__name__, "message": str(error)}
    return {}


if __name__ == "__main__":
    # What Airflow has imported anyway when it reads a file.
    import airflow.models.dagbag
    import airflow.providers.standard.hooks.subprocess
    import airflow.sdk.definitions.dag
    import airflow.timetables.base
    from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, Param, Variable  # noqa: F401

    if sys.argv[2] == "pod":
        import airflow.providers.cncf.kubernetes.operators.pod  # noqa: F401
    begin = time.process_time()
    read = runpy.run_path(sys.argv[1], run_name="read_by_airflow")
    took = time.process_time() - begin
    print(json.dumps(globals()[sys.argv[2]](read, took)))
