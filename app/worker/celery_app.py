"""`celery -A app.worker.celery_app:celery worker`: executes the jobs that the relay hands over."""

from __future__ import annotations

import logging
import sys
import uuid
from typing import Any, Final

from celery.signals import celeryd_init, setup_logging
from flask import Flask

from app import create_app
from app.config.setting import ConfigError
from app.services.operator import installation
from app.services.provider_access.bulkhead import Bulkheads
from app.worker.broker import RUN_JOB, make_celery
from app.worker.runner import run_job

CALLS_AT_ONCE: Final = 4
"""To one provider, unless PROVIDER_CALLS_AT_ONCE says otherwise: a quarter of the worker's threads (Procfile)."""


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


@celery.task(name=RUN_JOB)
def run(job_id: str) -> None:
    """One job by its id, inside the application."""
    with flask_app.app_context():
        run_job(uuid.UUID(job_id))
