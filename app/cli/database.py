"""`flask prepare`, `flask demo …`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import requests
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from flask_migrate import upgrade

from app.services.demo import load as demo_data
from app.worker.runner import start_recurring

demo = AppGroup("demo", help="The documents' demo data (not in production).")


def _demo_only() -> None:
    if current_app.config["IS_PRODUCTION"]:
        raise click.ClickException("There is no demo data in production (GATEWAY_ENV).")


@click.command()
@with_appcontext
def prepare() -> None:
    """Bring the database up to date and, in demo mode, load the demo data."""
    upgrade()
    start_recurring()
    if current_app.config["IS_DEMO"]:
        demo_data.load()
    click.echo("The database is ready.")


@demo.command("load")
def demo_load() -> None:
    """Create the demo users that are missing."""
    _demo_only()
    click.echo(f"{demo_data.load()} demo users created.")


@demo.command("reset")
def demo_reset() -> None:
    """Empty everything and load the demo data anew."""
    _demo_only()
    _reset_simulators()
    demo_data.reset(current_app.config["OWNER_DATABASE_URI"], Path(current_app.config["VAR_DIR"]))
    start_recurring()
    click.echo("The demo data is as on the first day.")


def _reset_simulators() -> None:
    """Their books go with ours. Where they do not run there is only their folder."""
    url = f"{current_app.config['SANDBOX_URL']}/sandbox/control/reset"
    try:
        requests.post(url, json={}, timeout=5).raise_for_status()
    except requests.ConnectionError:
        shutil.rmtree(Path(current_app.config["VAR_DIR"]) / "sandbox", ignore_errors=True)
