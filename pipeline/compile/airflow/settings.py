"""What only Airflow has to know of a scheduled run."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Literal

import pydantic

from components.settings import Settings
from pipeline.compile.kubernetes import Name

# A function or class by its module.
Dotted = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]


class NotificationSettings(Settings):
    """Whom to tell.

    Attributes:
        call: a function that takes Airflow's `context`, or a notifier such as
            `airflow.providers.smtp.notifications.smtp.SmtpNotifier`, which Airflow can import.
        with_values: its other arguments.
    """

    call: Dotted
    with_values: dict[str, str | int | float | bool | list[str]] = pydantic.Field(
        default_factory=dict
    )


class VolumeSettings(Settings):
    """A volume of a pod.

    Attributes:
        claim: the PersistentVolumeClaim.
        path: where the pod finds it.
        read_only: whether it must not be written.
    """

    claim: Name
    path: str = pydantic.Field(pattern=r"^/")
    read_only: bool = False


class SecretKeySettings(Settings):
    """A value in a Kubernetes secret.

    Attributes:
        secret: its name.
        key: of the value.
    """

    secret: Name
    key: str = pydantic.Field(default="password", pattern=r"^[-._a-zA-Z0-9]+$")


class PodSettings(Settings):
    """What pods of the tasks have besides `orchestration.image` and the resources of the task.

    Attributes:
        namespace: where they run; None for that of the connection, or of Airflow itself.
        service_account: which they run as.
        volumes: that hold the data, the root, and the compiled pipeline.
        metadata_password: of the metadata store.
        connection: Airflow's connection to Kubernetes; None inside a cluster.
        startup_timeout_s: after which a pod that does not start is given up.
    """

    namespace: Name | None = None
    service_account: Name | None = None
    volumes: tuple[VolumeSettings, ...] = ()
    metadata_password: SecretKeySettings | None = None
    connection: str | None = pydantic.Field(default=None, min_length=1)
    startup_timeout_s: int = pydantic.Field(default=600, ge=1)


class AirflowSettings(Settings):
    """How Airflow runs the compiled pipeline.

    Attributes:
        executor: `host` runs tasks as processes of Airflow's worker, `kubernetes` as pods.
        schedule: a cron expression or `@daily` and the like; None for no schedule.
        start_date: the first day of the schedule.
        timezone: of the schedule and of the days of its spans.
        catchup: whether intervals are made up for that passed before the DAG was there.
        span: `interval` reads the span of the day on which the run's data interval begins, where
            the path of the data has spans; `configured` reads what `data.span` says.
        first_span: the number of the span of `start_date`; None where spans are dates, or numbers
            of days since 1970-01-01.
        wait_for_data: whether a run waits for the files of its span.
        wait_every_s, wait_at_most_s: how often they are looked for, and for how long.
        pool: limits how many tasks run at the same time, also of other DAGs; Airflow has to have
            it. None for Airflow's default.
        max_active_runs: of this pipeline at the same time.
        retry_delay_limit_s: the longest pause before another attempt.
        run_timeout_s: after which a run is failed.
        on_failure: whom to tell when a run has failed.
        deadline_s: after which a run that has not ended is told of.
        on_deadline: whom to tell then.
        lineage_url: where `python -m pipeline.lineage serve` answers to a browser; each task links
            to its run there.
        owner, tags: for Airflow's list of DAGs.
        pod: what pods have.
    """

    executor: Literal["host", "kubernetes"] = "host"
    schedule: str | None = pydantic.Field(default=None, min_length=1)
    start_date: datetime.date | None = None
    timezone: str = "UTC"
    catchup: bool = False
    span: Literal["interval", "configured"] = "interval"
    first_span: int | None = pydantic.Field(default=None, ge=0, le=500_000)
    wait_for_data: bool = False
    # Airflow takes some seconds to see that a look has ended; another one must not begin before.
    wait_every_s: float = pydantic.Field(default=60.0, ge=10, le=86_400)
    wait_at_most_s: float = pydantic.Field(default=86_400.0, ge=1)
    pool: str | None = pydantic.Field(default=None, min_length=1, max_length=256)
    max_active_runs: int = pydantic.Field(default=1, ge=1, le=1000)
    retry_delay_limit_s: float = pydantic.Field(default=1800.0, gt=0, le=86_400)
    run_timeout_s: float | None = pydantic.Field(default=None, gt=0)
    on_failure: tuple[NotificationSettings, ...] = ()
    deadline_s: float | None = pydantic.Field(default=None, gt=0)
    on_deadline: NotificationSettings | None = None
    lineage_url: str | None = pydantic.Field(default=None, pattern=r"^https?://[^\s@]+$")
    owner: str = pydantic.Field(default="waybill", min_length=1)
    tags: tuple[str, ...] = ()
    pod: PodSettings = PodSettings()

    @pydantic.field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("there is no such time zone; an example is Europe/Berlin") from None
        return value

    @pydantic.model_validator(mode="after")
    def _belong_together(self) -> AirflowSettings:
        if self.schedule is not None and self.start_date is None:
            raise ValueError("schedule needs start_date: the first day that is scheduled")
        if self.first_span is not None and self.start_date is None:
            raise ValueError("first_span is the span of start_date, which is not given")
        if (self.deadline_s is None) != (self.on_deadline is None):
            raise ValueError("deadline_s and on_deadline go together")
        return self
