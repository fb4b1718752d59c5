"""`flask jobs …`."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.services.operator import jobs as dead_letters

jobs = AppGroup("jobs", help="The work queue.")


@jobs.command("replay")
@click.argument("job_id", type=click.UUID)
def jobs_replay(job_id: uuid.UUID) -> None:
    """Make a dead job due again."""
    with refusals_as_sentences():
        dead_letters.replay(job_id, operator=principal())
    click.echo("The job is due.")
