"""`flask prepare`, `flask demo …`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import requests
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from flask_migrate import upgrade

from app.cli.common import principal, refusals_as_sentences
from app.services.demo import load as demo_data
from app.services.demo import purge
from app.worker.runner import start_recurring

demo = AppGroup("demo", help="The documents' demo data: loaded outside production, purged before it.")


@click.command()
@with_appcontext
def prepare() -> None:
    """Bring the database up to date and, in demo mode, load the demo data."""
    is_demo = current_app.config["IS_DEMO"]
    with refusals_as_sentences():
        if is_demo:
            demo_data.require_no_production()
        upgrade()
        if is_demo:
            demo_data.load()
    click.echo("The database is ready.")


@demo.command("load")
def demo_load() -> None:
    """Create the demo users that are missing."""
    with refusals_as_sentences():
        created = demo_data.load()
    click.echo(f"{created} demo users created.")


@demo.command("reset")
def demo_reset() -> None:
    """Empty everything and load the demo data anew."""
    with refusals_as_sentences():
        demo_data.require_no_production()
        _reset_simulators()
        demo_data.reset(current_app.config["OWNER_DATABASE_URI"], Path(current_app.config["VAR_DIR"]))
    start_recurring()
    click.echo("The demo data is as on the first day.")


@demo.command("purge")
@click.option("--yes", is_flag=True, help="Do not ask.")
def demo_purge_command(yes: bool) -> None:
    """End the use of the demo's users, tenant, keys and wallets, for good: before production."""
    if not yes:
        click.confirm("This disables the demo's users, tenant and keys for good. Go on?", abort=True)
    done = purge.purge(operator=principal())
    if done.is_nothing:
        click.echo("Nothing of the demo can be used: there was nothing to do.")
    else:
        click.echo(
            f"Ended: {done.users} users, {done.sessions} sessions, {done.tenants} tenants, {done.api_keys} API keys, "
            f"{done.oauth_clients} OAuth clients, {done.provider_accounts} provider accounts; {done.wallets} accounts of the ledger are frozen."
        )
    _report_left(purge.left())


def _report_left(left: purge.Left) -> None:
    if left.open_payments:
        click.echo(
            f"{left.open_payments} payments of the demo tenant are open: `flask payments resolve` ends them."
        )
    click.echo(
        f"Not changed: {left.users} other users and {left.tenants} other tenants. Those that were created while this was a "
        "demo are among them, with balances that no real money stands behind and e-mail addresses that were not proved."
    )


def _reset_simulators() -> None:
    """Their data is deleted with the gateway's. Where they do not run, their folder is removed."""
    url = f"{current_app.config['SANDBOX_URL']}/sandbox/control/reset"
    try:
        requests.post(url, json={}, timeout=5).raise_for_status()
    except requests.ConnectionError:
        shutil.rmtree(Path(current_app.config["VAR_DIR"]) / "sandbox", ignore_errors=True)
