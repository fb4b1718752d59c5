"""`flask jobs …`."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app import clock, queue
from app.unit_of_work import transaction

jobs = AppGroup("jobs", help="The work queue.")


@jobs.command("replay")
@click.argument("job_id", type=click.UUID)
def jobs_replay(job_id: uuid.UUID) -> None:
    """Make a dead job due again."""
    if not transaction(lambda session: queue.replay(session, job_id, now=clock.now())):
        raise click.ClickException("No dead job has this id.")
    click.echo("The job is due.")
