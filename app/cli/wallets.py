"""`flask wallet …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.cli.common import principal
from app.errors import GatewayError
from app.services.wallets import wallets

wallet = AppGroup("wallet", help="Wallets.")


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
        wallets.set_frozen(wallet_id, is_frozen=is_frozen, operator=principal())
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{wallet_id} is {'frozen' if is_frozen else 'active'}.")
