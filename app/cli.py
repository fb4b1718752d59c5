"""`flask …` for operators. Each command is a sentence on success and a sentence with exit code 1 on trouble."""

from __future__ import annotations

import shutil
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import requests
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from flask_migrate import upgrade

from app import cli_payments, cli_tenants, clock, ledger
from app.config import ConfigError
from app.errors import GatewayError
from app.events import queue
from app.events.push import Pusher
from app.events.relay import Relay
from app.jobs import start_recurring
from app.jobs.broker import hand_over
from app.services import (
    audit_service,
    demo_purge,
    demo_service,
    installation_service,
    kyc_service,
    wallet_service,
)
from app.unit_of_work import reading, transaction

demo = AppGroup("demo", help="The documents' demo data: loaded outside production, purged before it.")
ledger_group = AppGroup("ledger", help="The double-entry ledger.")
audit = AppGroup("audit", help="The event log.")
kyc = AppGroup("kyc", help="Identity verification.")
jobs = AppGroup("jobs", help="The work queue.")
wallet = AppGroup("wallet", help="Wallets.")


def register(app: Flask) -> None:
    """Add every command to `app`."""
    for group in (demo, ledger_group, audit, kyc, jobs, wallet):
        app.cli.add_command(group)
    app.cli.add_command(prepare)
    app.cli.add_command(relay)
    cli_tenants.register(app)
    cli_payments.register(app)


@contextmanager
def _sentences() -> Iterator[None]:
    """A refusal ends the command with its sentence."""
    try:
        yield
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@with_appcontext
def prepare() -> None:
    """Bring the database up to date and, in demo mode, load the demo data."""
    is_demo = current_app.config["IS_DEMO"]
    with _sentences():
        if is_demo:
            demo_service.require_no_production()
        upgrade()
        start_recurring()
        if is_demo:
            demo_service.load()
    click.echo("The database is ready.")


@click.command()
@with_appcontext
def relay() -> None:
    """Publish events, fold balances, push to Socket.IO, hand due jobs to the workers; runs until stopped."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _sentences():
        installation_service.require_fit(current_app._get_current_object())  # type: ignore[attr-defined]
    make_relay(current_app.config).run(stop)


def make_relay(config: Any) -> Relay:
    """The relay with its real ways out: Socket.IO and Celery, both over Redis."""
    return Relay(config, pusher=Pusher(config["REDIS_URL"]), hand_over=hand_over(config["REDIS_URL"]))


@demo.command("load")
def demo_load() -> None:
    """Create the demo users that are missing."""
    with _sentences():
        created = demo_service.load()
    click.echo(f"{created} demo users created.")


@demo.command("reset")
def demo_reset() -> None:
    """Empty everything and load the demo data anew."""
    with _sentences():
        demo_service.require_no_production()
        _reset_simulators()
        demo_service.reset(current_app.config["OWNER_DATABASE_URI"], Path(current_app.config["VAR_DIR"]))
    start_recurring()
    click.echo("The demo data is as on the first day.")


@demo.command("purge")
@click.option("--yes", is_flag=True, help="Do not ask.")
def demo_purge_command(yes: bool) -> None:
    """End the use of the demo's users, tenant, keys and wallets, for good: before production."""
    if not yes:
        click.confirm("This disables the demo's users, tenant and keys for good. Go on?", abort=True)
    done = demo_purge.purge(operator="operator")
    if done.is_nothing:
        click.echo("Nothing of the demo can be used: there was nothing to do.")
    else:
        click.echo(
            f"Ended: {done.users} users, {done.sessions} sessions, {done.tenants} tenants, {done.api_keys} API keys, "
            f"{done.provider_accounts} provider accounts; {done.wallets} accounts of the ledger are frozen."
        )
    _say_what_is_left(demo_purge.left())


def _say_what_is_left(left: demo_purge.Left) -> None:
    if left.open_payments:
        click.echo(
            f"{left.open_payments} payments of the demo tenant are open: `flask payments declare` ends them."
        )
    click.echo(
        f"Not touched: {left.users} other users and {left.tenants} other tenants. Whoever came while this was a demo is among them, "
        "with money that does not exist."
    )


def _reset_simulators() -> None:
    """Their books go with ours. Where they do not run there is only their folder."""
    url = f"{current_app.config['SANDBOX_URL']}/sandbox/control/reset"
    try:
        requests.post(url, json={}, timeout=5).raise_for_status()
    except requests.ConnectionError:
        shutil.rmtree(Path(current_app.config["VAR_DIR"]) / "sandbox", ignore_errors=True)


@ledger_group.command("check")
def ledger_check() -> None:
    """Prove on live data that no money appeared or vanished."""
    with reading() as session:
        findings = ledger.check(session)
    for finding in findings:
        click.echo(str(finding))
    if findings:
        raise click.ClickException(f"{len(findings)} findings.")
    click.echo("The ledger is clean.")


@audit.command("verify")
@click.option("--anchor/--no-anchor", default=True, help="Also hold it against the anchors under VAR_DIR.")
def audit_verify(anchor: bool) -> None:
    """Walk the event log and name the first row that was altered, removed or cut off."""
    folder = Path(current_app.config["VAR_DIR"]) / "audit" if anchor else None
    count, found = audit_service.verify(current_app.config["AUDIT_KEY"], anchors=folder)
    if found:
        raise click.ClickException(f"Event {found.seq} is {found.reason}.")
    click.echo(f"The event log is whole: {count} events.")


@kyc.command("approve")
@click.argument("request_id")
def kyc_approve(request_id: str) -> None:
    """Verify a request (kyc_req_…)."""
    _decide(request_id, "verified", None)


@kyc.command("reject")
@click.argument("request_id")
@click.argument("reason")
def kyc_reject(request_id: str, reason: str) -> None:
    """Reject a request (kyc_req_…) with a reason its sender will read."""
    _decide(request_id, "rejected", reason)


@kyc.command("sweep")
def kyc_sweep() -> None:
    """Remove files of documents whose request was never committed (older than a day)."""
    click.echo(f"{kyc_service.sweep_documents()} files removed.")


def _decide(request_id: str, verdict: kyc_service.Verdict, reason: str | None) -> None:
    try:
        kyc_service.decide(request_id, verdict, reason=reason, actor_name="operator")
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{request_id} is {verdict}.")


@wallet.command("freeze")
@click.argument("wallet_id")
def wallet_freeze(wallet_id: str) -> None:
    """Refuse payments and withdrawals from a wallet (acc_…); it still takes money in."""
    _set_frozen(wallet_id, is_frozen=True)


@wallet.command("thaw")
@click.argument("wallet_id")
def wallet_thaw(wallet_id: str) -> None:
    """Let a frozen wallet (acc_…) pay again."""
    _set_frozen(wallet_id, is_frozen=False)


def _set_frozen(wallet_id: str, *, is_frozen: bool) -> None:
    try:
        wallet_service.set_frozen(wallet_id, is_frozen=is_frozen, operator="operator")
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{wallet_id} is {'frozen' if is_frozen else 'active'}.")


@jobs.command("replay")
@click.argument("job_id", type=click.UUID)
def jobs_replay(job_id: uuid.UUID) -> None:
    """Make a dead job due again."""
    if not transaction(lambda session: queue.replay(session, job_id, now=clock.now())):
        raise click.ClickException("No dead job has this id.")
    click.echo("The job is due.")
