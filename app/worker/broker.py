"""Celery's settings, for the worker that executes and the relay that hands over.

The database row is the queue, so jobs that are lost with their worker are only late: the relay hands them over again. A task
names several, since Celery's part of one costs as much as a job.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Final

from celery import Celery

RUN_JOBS: Final = "malipo.run_jobs"
QUEUE: Final = "malipo"
JOBS_OF_A_TASK: Final = 20
"""At most: all of a task are one worker's."""

VISIBILITY_TIMEOUT_S: Final = 300
HAND_OVER_TIMEOUT_S: Final = 1.0


def broker_url(redis_url: str) -> str:
    """The Redis URL as Celery expects it: a unix socket is `redis+socket://` there, its database `virtual_host`."""
    if redis_url.startswith("unix://"):
        return "redis+socket://" + redis_url.removeprefix("unix://").replace(
            "?db=", "?virtual_host="
        ).replace("&db=", "&virtual_host=")
    return redis_url


def make_celery(redis_url: str) -> Celery:
    """A Celery application on this broker; it keeps no results."""
    celery = Celery("malipo", broker=broker_url(redis_url))
    celery.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # the logs go to stderr; through Celery's replacement of it they are lost
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT_S},
    )
    return celery


def hand_over(redis_url: str) -> Callable[[Sequence[uuid.UUID]], None]:
    """A function that sends the ids of jobs to the workers; the relay calls it. It raises when the broker is away."""
    celery = make_celery(redis_url)
    # A broker that hangs must not stop the relay, which also publishes.
    celery.conf.broker_transport_options |= {
        "socket_timeout": HAND_OVER_TIMEOUT_S,
        "socket_connect_timeout": HAND_OVER_TIMEOUT_S,
    }

    def send(job_ids: Sequence[uuid.UUID]) -> None:
        for first in range(0, len(job_ids), JOBS_OF_A_TASK):
            named = [str(job_id) for job_id in job_ids[first : first + JOBS_OF_A_TASK]]
            celery.send_task(RUN_JOBS, args=[named], retry=False)

    return send
