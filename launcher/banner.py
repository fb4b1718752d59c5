"""What is printed once the gateway answers: where everything is, and the first commands to try."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

PASSWORD = "SecurePass123!"  # noqa: S105 - printed for every reader
USERS = (
    ("sender@example.com", "wallet acc_sender_123, 1000.00 USD"),
    ("bob@example.com", "wallet acc_recipient_456"),
    ("alice@example.com, charlie@example.com", "USD wallets"),
    ("operator@example.com", "an operator: scope admin"),
)

BOOKING_ID = "f367ddf9-f2ff-4de2-b929-0e0942ace93b"

API_KEY = "demo_tenant_key_7Jt2mQ9sVx4L"

FIRST_PAYMENT = """\
TOKEN=$(curl -s {url}/api/v1/auth/login -H 'Content-Type: application/json' \\
  -d '{{"email":"sender@example.com","password":"{password}"}}' \\
  | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
curl -s {url}/api/v1/payments -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"amount":"10.00","currency":"USD","source_wallet_id":"acc_sender_123",
       "destination":"bob@example.com"}}'"""

FIRST_PROVIDER_PAYMENT = """\
curl -X POST {url}/api/v1/payments/initialize \\
  -H "Content-Type: application/json" \\
  -H "Idempotency-Key: $(uuidgen)" \\
  -d '{{
    "provider": "mpesa",
    "amount": 1000,
    "currency": "KES",
    "customer": {{
      "phone": "+254700000000",
      "email": "test@example.com",
      "name": "John Doe"
    }},
    "metadata": {{
      "order_id": "ORD-12345"
    }}
  }}'"""
"""As the Gateway API's document prints it."""


def print_banner(url: str, *, is_demo: bool, simulators: str, missing: str = "") -> None:
    """Print the banner. The commands stand outside the frame, so that they can be copied. simulators: their address. missing: what
    the gateway does without, as sentences."""
    table = Table.grid(padding=(0, 2))
    for label, path in (
        ("API", "/api/v1"),
        ("Try it", "/docs"),
        ("OpenAPI", "/openapi.json"),
        ("Health", "/health/ready"),
    ):
        table.add_row(label, url + path)
    if is_demo:
        table.add_row("Mailbox", f"{url}/dev/mailbox (the demo's mails)")
        table.add_row("Simulators", f"{simulators}/sandbox/ (providers, the customer's phone; no real money)")
        table.add_row("")
        for user, about in USERS:
            table.add_row("User", f"{user} ({about})")
        table.add_row("Merchant", "Wabotiq Demo; a request without a credential is also this merchant's")
        table.add_row("API key", f"{API_KEY} (X-TENANT-API-KEY)")
        table.add_row("Password", f"{PASSWORD} (of every demo user)")
    console = Console(highlight=False)
    console.print(Panel(table, title="Malipo is running", expand=False))
    if missing:
        print(missing)
    if is_demo:
        print("The first payment, from another terminal:\n")
        print(FIRST_PAYMENT.format(url=url, password=PASSWORD))
        print(
            "\nThe first payment through a provider (M-Pesa's simulator; the customer pays after a second):\n"
        )
        print(FIRST_PROVIDER_PAYMENT.format(url=url))
        print(f"\nA stay that waits to be paid, in a browser:\n\n{url}/bookings/{BOOKING_ID}\n")
    print("Ctrl-C stops everything and keeps the data.", flush=True)
