"""`celery -A app.jobs.worker:celery worker`: executes the jobs that the relay hands over."""

from __future__ import annotations

import uuid

from app import create_app
from app.jobs import run_job
from app.jobs.broker import RUN_JOB, make_celery

flask_app = create_app()
celery = make_celery(flask_app.config["REDIS_URL"])


@celery.task(name=RUN_JOB)
def run(job_id: str) -> None:
    """One job by its id, inside the application."""
    with flask_app.app_context():
        run_job(uuid.UUID(job_id))
