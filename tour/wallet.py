"""The Wallet API's document: a payment between two users, a batch, and the three errors that a client must handle."""

from __future__ import annotations

import secrets
import time
from decimal import Decimal
from typing import Any, Final

import requests

from tour.client import GatewayClient, error_code
from tour.live import Watcher, watching
from tour.report import Difference, Report
from tour.users import User, new_user, sign_in, verify_identity

TITLE: Final = "Wallet API: paying from wallet to wallet"

AMOUNT: Final = 100.00
BATCH: Final = (
    ("alice@example.com", 50.00, "Payment 1"),
    ("bob@example.com", 75.00, "Payment 2"),
    ("charlie@example.com", 100.00, "Payment 3"),
)
NEEDED: Final = Decimal("400.00")
TOP_UP: Final = Decimal("1000.00")

# The document's client polls 10 times, 2 seconds apart.
MAX_ATTEMPTS: Final = 10
POLL_S: Final = 2.0

ERROR_TEXTS: Final = {
    "INSUFFICIENT_BALANCE": "Error: Not enough funds in wallet",
    "KYC_REQUIRED": "Error: KYC verification required before making payments",
    "DAILY_LIMIT_EXCEEDED": "Error: Daily transaction limit exceeded",
}
"""Error code → what the document's error handling prints."""


def play(client: GatewayClient, report: Report) -> None:
    """Raises Difference when it cannot go on."""
    sender, bob = _sign_in(client, report)
    with watching(client.url, sender.token) as at_sender, watching(client.url, bob.token) as at_bob:
        before = sender.balance(), bob.balance()
        report.step("Creating a payment")
        payment_id, started = _create(sender, report)
        report.step("Receiving its pushes")
        _watch(payment_id, report, at_sender=at_sender, at_bob=at_bob, started=started)
    report.step("Polling its status")
    _monitor(sender, payment_id, report)
    report.step("Checking the balances")
    report.expect("the sender's change", sender.balance() - before[0], Decimal("-100.00"))
    report.expect("bob's change", bob.balance() - before[1], Decimal("100.00"))
    report.step("Sending a batch")
    _send_batch(sender, report)
    report.step("Sending one payment twice with the same Idempotency-Key")
    _send_twice(sender, bob, report)
    _cause_errors(client, report)


def _sign_in(client: GatewayClient, report: Report) -> tuple[User, User]:
    report.step("Signing in and checking the sender's balance")
    sender = sign_in(client, "sender@example.com", wallet_id="acc_sender_123")
    bob = sign_in(client, "bob@example.com", wallet_id="acc_recipient_456")
    if sender.balance() < NEEDED:
        report.say(f"The sender has ${sender.balance()}: depositing ${TOP_UP} first.")
        sender.deposit(TOP_UP)
    report.say(f"Sender balance: ${sender.balance()}")
    return sender, bob


def _create(sender: User, report: Report) -> tuple[str, float]:
    """The payment's id, and when it was requested."""
    started = time.monotonic()
    answer = sender.pay(
        "bob@example.com",
        AMOUNT,
        currency="USD",
        description="Dinner payment",
        metadata={"occasion": "birthday_dinner", "participants": 4},
    )
    if error_code(answer) == "DAILY_LIMIT_EXCEEDED":
        raise Difference("The demo sender's limit for today is used up: `make reset` restores the demo data.")
    report.expect("HTTP status", answer.status_code, 201)
    payment = answer.json()
    report.say(f"Payment created: ID={payment.get('payment_id')}")
    report.expect("status", payment.get("status"), "pending")
    return payment["payment_id"], started


def _watch(payment_id: str, report: Report, *, at_sender: Watcher, at_bob: Watcher, started: float) -> None:
    for who, watcher in (("the sender's", at_sender), ("bob's", at_bob)):
        steps = watcher.steps_of(payment_id, until="wallet_payment.completed")
        for step in steps:
            report.say(
                f"{who} room, {(step.at - started) * 1000:.0f} ms after the request: {step.event_type}"
            )
        seen = " → ".join(step.event_type for step in steps)
        report.expect(f"{who} steps", seen, "wallet_payment.pending → wallet_payment.completed")
        report.expect(f"{who} amount", steps[-1].transaction["amount"], AMOUNT)
    report.expect("the payment's own room", at_sender.subscribe(payment_id), f"transaction_{payment_id}")


def _monitor(sender: User, payment_id: str, report: Report) -> None:
    status: dict[str, Any] = {}
    for attempt in range(MAX_ATTEMPTS):
        status = sender.payment(payment_id)
        report.say(f"Attempt {attempt + 1}: Status = {status['status']}")
        if status["status"] in ("completed", "failed"):
            break
        time.sleep(POLL_S)
    report.expect("final status", status.get("status"), "completed")
    report.expect("transaction id starts with", str(status.get("transaction_id"))[:4], "txn_")
    report.expect("completed at ends with", str(status.get("completed_at"))[-1:], "Z")
    report.expect("failure reason", status.get("failure_reason"), None)


def _send_batch(sender: User, report: Report) -> None:
    """As the document sends it: one request a payment, and no currency."""
    for destination, amount, description in BATCH:
        answer = sender.pay(destination, amount, description=description)
        report.expect(f"${amount:.2f} to {destination}", answer.status_code, 201)
        report.say(f"payment {answer.json().get('payment_id')}")


def _send_twice(sender: User, bob: User, report: Report) -> None:
    before, key = bob.balance(), secrets.token_hex(8)
    first = sender.pay(bob.email, 1.00, key=key)
    again = sender.pay(bob.email, 1.00, key=key)
    report.expect("the second answer", _facts(again), _facts(first))
    report.expect("its Idempotent-Replayed header", again.headers.get("Idempotent-Replayed"), "true")
    report.expect("bob's change", bob.balance() - before, Decimal("1.00"))
    other = sender.pay(bob.email, 2.00, key=key)
    report.expect("another amount with the same key", error_code(other), "IDEMPOTENCY_KEY_REUSED")


def _facts(answer: requests.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("payment_id")


def _cause_errors(client: GatewayClient, report: Report) -> None:
    """With a new user, so that the demo users' spending limits are not used up."""
    report.step("Causing INSUFFICIENT_BALANCE: a new user pays from an empty wallet")
    user = new_user(client)
    _expect_refusal(user.pay("bob@example.com", 50.00), 400, "INSUFFICIENT_BALANCE", report)
    report.step("Causing KYC_REQUIRED: the amount exceeds an unverified user's limit")
    user.deposit(Decimal("10500.00"))
    _expect_refusal(user.pay("bob@example.com", 150.00), 403, "KYC_REQUIRED", report)
    report.step("Causing DAILY_LIMIT_EXCEEDED: the amount exceeds a verified user's daily limit")
    status = verify_identity(user)
    report.expect("verification", (status["status"], status["verification_level"]), ("verified", "tier_2"))
    report.expect("the first payment of the day", user.pay("bob@example.com", 150.00).status_code, 201)
    _expect_refusal(user.pay("bob@example.com", 9900.00), 400, "DAILY_LIMIT_EXCEEDED", report)


def _expect_refusal(answer: requests.Response, status: int, code: str, report: Report) -> None:
    report.expect("HTTP status and code", (answer.status_code, error_code(answer)), (status, code))
    report.expect("the document's error handling prints", read_error(answer), ERROR_TEXTS[code])


def read_error(answer: requests.Response) -> str:
    """The text that the document's error handling prints for an answer."""
    try:
        answer.raise_for_status()
    except requests.HTTPError:
        body = answer.json()
        return ERROR_TEXTS.get(body.get("error", {}).get("code"), f"Error: {body}")
    return "no error"
