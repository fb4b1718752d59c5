"""`flask …` for operators, one file a subject. A command prints a sentence; on trouble a sentence, and exit code 1."""

from __future__ import annotations

from flask import Flask
from flask_migrate import Migrate

from app.cli.audit import audit
from app.cli.database import demo, prepare
from app.cli.fees import fees
from app.cli.jobs import jobs
from app.cli.kyc import kyc
from app.cli.ledger import ledger_commands
from app.cli.mails import mails
from app.cli.members import members
from app.cli.oauth_clients import oauth_clients
from app.cli.payments import payments, reconcile
from app.cli.provider_accounts import accounts
from app.cli.relay import relay
from app.cli.tenants import tenants
from app.cli.users import users
from app.cli.wallets import wallet
from app.cli.webhooks import webhooks
from app.cli.withdrawals import withdrawals
from app.config.database import MIGRATIONS
from app.extensions import db

COMMANDS = (
    prepare,
    relay,
    reconcile,
    demo,
    ledger_commands,
    audit,
    kyc,
    jobs,
    wallet,
    tenants,
    members,
    oauth_clients,
    users,
    fees,
    payments,
    withdrawals,
    accounts,
    webhooks,
    mails,
)


def init(app: Flask) -> None:
    """Add every command to `app`, and tell `flask db` where the migrations are."""
    Migrate(app, db, directory=str(MIGRATIONS))
    for command in COMMANDS:
        app.cli.add_command(command)
    # Documents and operators write both numbers.
    app.cli.add_command(tenants, "tenant")
    app.cli.add_command(members, "member")
