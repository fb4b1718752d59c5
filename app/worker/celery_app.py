"""`celery -A app.worker.celery_app:celery worker`: executes the jobs that the relay hands over."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Sequence
from typing import Any, Final

from celery.signals import celeryd_init, setup_logging, worker_ready, worker_shutdown
from flask import Flask

from app import create_app
from app.config.setting import ConfigError
from app.services.operator import installation
from app.services.provider_access.bulkhead import Bulkheads
from app.services.webhooks.sending import Sender
from app.worker.broker import RUN_JOBS, make_celery
from app.worker.job_threads import JobThreads
from app.worker.runner import run_job

THREADS: Final = 16
"""Jobs that one worker runs at once. Threads, since a job mostly waits for a provider."""

CALLS_AT_ONCE: Final = 4
"""To one provider, unless PROVIDER_CALLS_AT_ONCE says otherwise: a quarter of the threads."""


@setup_logging.connect
def keep_our_logs(**_: Any) -> None:
    """Celery sets up no logs when this signal has a receiver, so those of `create_app` stay. Its own: warnings only."""
    logging.getLogger("celery").setLevel(logging.WARNING)


@celeryd_init.connect
def require_fit(**_: Any) -> None:
    """Before the worker takes work, and not for `celery inspect`, which imports this module too."""
    try:
        installation.require_fit(flask_app)
    except ConfigError as error:
        sys.exit(str(error))


def make_app() -> Flask:
    """The application; an unusable setting ends the process with a message."""
    try:
        return create_app(serves_http=False, has_commands=False)
    except ConfigError as error:
        sys.exit(str(error))


flask_app = make_app()
flask_app.extensions["bulkheads"] = Bulkheads(flask_app.config["PROVIDER_CALLS_AT_ONCE"] or CALLS_AT_ONCE)
celery = make_celery(flask_app.config["REDIS_URL"])


def _run(job_id: uuid.UUID) -> None:
    with flask_app.app_context():
        run_job(job_id)


threads = JobThreads(_run, THREADS)
webhooks = Sender(flask_app)


@celery.task(name=RUN_JOBS)
def run(job_ids: Sequence[str]) -> None:
    """Start jobs, by their ids."""
    for job_id in job_ids:
        threads.start(uuid.UUID(job_id))


@worker_ready.connect
def send_webhooks(**_: Any) -> None:
    """From now on, beside the jobs: webhooks are many, and are slow where merchants' servers are."""
    webhooks.start()


@worker_shutdown.connect
def finish(**_: Any) -> None:
    """Jobs that wait are handed over again, to another worker or the next; so are webhooks."""
    webhooks.stop()
    threads.stop()
