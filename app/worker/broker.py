"""Celery's settings, for the worker that executes and the relay that hands over.

The database row is the queue, so a task that is lost with its worker is only late. Even so tasks are
acknowledged late, delivered again when their worker dies, and end well before the broker would deliver them twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from celery import Celery

RUN_JOB: Final = "malipo.run_job"
QUEUE: Final = "malipo"
TASK_TIME_LIMIT_S: Final = 50
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
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=TASK_TIME_LIMIT_S,
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


def hand_over(redis_url: str) -> Callable[[uuid.UUID], None]:
    """A function that sends a job's id to the workers; the relay calls it. It raises when the broker is away."""
    celery = make_celery(redis_url)
    # A broker that hangs must not stop the relay, which also publishes.
    celery.conf.broker_transport_options |= {
        "socket_timeout": HAND_OVER_TIMEOUT_S,
        "socket_connect_timeout": HAND_OVER_TIMEOUT_S,
    }

    def send(job_id: uuid.UUID) -> None:
        celery.send_task(RUN_JOB, args=[str(job_id)], retry=False)

    return send
