"""`flask webhooks catalogue`: the page docs/webhook-catalogue.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import click

from app.events import webhook_messages
from app.models.payment import MadeBy
from app.services.webhooks import samples

_HEAD: Final = """\
# Catalogue of webhooks

Made by `flask webhooks catalogue`; a test compares it with the code. What webhooks are, and how to verify them: [webhooks](webhooks.md).
"""

_APIS: Final = {
    MadeBy.GATEWAY: "the [Gateway API](api/gateway.md)'s fields",
    MadeBy.PROCESSING: "the [Processing API](api/processing.md)'s fields",
    MadeBy.TENANT: "the [Tenant API](api/tenant.md)'s fields",
    None: "the [Wallet API](api/wallet.md)'s fields; to endpoints of the platform's own",
}


@click.command("catalogue")
def catalogue() -> None:
    """Print the page on every type of webhook, with an example of each kind."""
    click.echo("\n".join(_page()))


def _page() -> Iterator[str]:
    yield _HEAD
    yield from _table()
    for event_type, api in samples.SHOWN:
        yield f"\n## `{webhook_messages.TYPES[event_type]}`, with {_APIS[api]}\n"
        yield "```json"
        message = webhook_messages.message_of(
            samples.event(event_type, api), endpoints=1, is_production=False
        )
        yield json.dumps(message, indent=2, default=_number)
        yield "```"


def _table() -> Iterator[str]:
    yield "| type | of the log's event |"
    yield "|---|---|"
    for event_type, name in webhook_messages.TYPES.items():
        yield f"| `{name}` | `{event_type.value}` |"


def _number(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)
