"""The Booking API's document: its commands and its program as printed, then a stay that is paid at the second try."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any, Final

import requests

from tour.client import TIMEOUT_S, GatewayClient, wait_until
from tour.report import Difference, Report
from tour.shell import at, paste

TITLE: Final = "Booking API: stays paid through Chapa"

BOOKING_ID: Final = "f367ddf9-f2ff-4de2-b929-0e0942ace93b"

INITIATE: Final = """\
curl -X POST http://localhost:8000/api/payments/initiate/ \\
  -H "Content-Type: application/json" \\
  -d '{
    "booking_id": "f367ddf9-f2ff-4de2-b929-0e0942ace93b",
    "email": "customer@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "phone_number": "0911234567"
  }'
"""
VERIFY: Final = """\
curl -X GET "http://localhost:8000/api/payments/verify/?tx_ref=tx-a1b2c3d4e5f6-test"
"""
PROGRAM: Final = """\
import requests

# Initiate payment
response = requests.post(
    'http://localhost:8000/api/payments/initiate/',
    json={
        'booking_id': 'f367ddf9-f2ff-4de2-b929-0e0942ace93b',
        'email': 'customer@example.com',
        'first_name': 'John',
        'last_name': 'Doe',
        'phone_number': '0911234567'
    }
)
print(response.json())

# Verify payment
tx_ref = response.json()['data']['transaction_reference']
response = requests.get(
    f'http://localhost:8000/api/payments/verify/?tx_ref={tx_ref}'
)
print(response.json())
"""

REFERENCE: Final = re.compile(r"tx-[0-9a-f]{12}-f367ddf9-f2ff-4de2")
DECLINED_CARD: Final = "4000 0000 0000 0002"
GOOD_CARD: Final = "4242 4242 4242 4242"

RESET_TIMEOUT_S: Final = 60.0
PROGRAM_TIMEOUT_S: Final = 60.0
MAIL_TIMEOUT_S: Final = 20.0


def play(client: GatewayClient, report: Report) -> None:
    """The demo's data is reset before each part, because a stay is paid once. Raises Difference when it cannot go on."""
    _paste_the_commands(client, report)
    _run_the_program(client, report)
    _reset(report)
    failed = _fail(client, report)
    reference = _pay(client, report, failed)
    _read_the_mail(client, report, reference)


def _paste_the_commands(client: GatewayClient, report: Report) -> None:
    report.step("Test with cURL")
    _reset(report)
    initiated = paste(client, INITIATE, report)
    report.expect(
        "initiated", (initiated.status, initiated.body["message"]), (201, "Payment initiated successfully")
    )
    reference = initiated.body["data"]["transaction_reference"]
    report.expect(f"reference {reference}", bool(REFERENCE.fullmatch(reference)), True)
    unknown = paste(client, VERIFY, report)
    expected = {"status": "error", "message": "Payment not found"}
    report.expect("a reference that is none", (unknown.status, unknown.body), (404, expected))


def _run_the_program(client: GatewayClient, report: Report) -> None:
    report.step("Test with Python")
    _reset(report)
    try:
        done = subprocess.run(
            [sys.executable, "-c", at(client, PROGRAM)],
            check=False,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Difference(f"The program did not run ({type(error).__name__}).") from error
    if done.returncode:
        raise Difference(f"The program failed: {done.stderr[-500:]}")
    for line in done.stdout.splitlines():
        report.say(line)
    report.expect("answers of success", done.stdout.count("'status': 'success'"), 2)


def _fail(client: GatewayClient, report: Report) -> str:
    """The reference of a payment that has failed."""
    report.step("A card that is declined")
    data = _initiate(client, status=201)
    _pay_by_card(data["checkout_url"], DECLINED_CARD)
    answer = _verify(client, data["transaction_reference"])
    found = (answer.status_code, answer.json()["message"], answer.json()["data"]["payment_status"])
    report.expect("verified", found, (400, "Payment failed or was cancelled", "failed"))
    reference: str = data["transaction_reference"]
    return reference


def _pay(client: GatewayClient, report: Report, failed: str) -> str:
    """The reference of the payment that is completed."""
    report.step("The second try")
    data = _initiate(client, status=201)
    repeated = _initiate(client, status=200)
    report.expect("initiated again while it waits: the same payment", repeated, data)
    _pay_by_card(data["checkout_url"], GOOD_CARD)
    reference: str = data["transaction_reference"]
    first, second = _verify(client, reference).json(), _verify(client, reference).json()
    message = "Payment verified and completed successfully"
    report.expect("verified", (first["message"], first["data"]["amount"]), (message, 2304.0))
    report.expect(
        "verified again",
        (second["message"], second["data"]["amount"]),
        ("Payment already verified", "2304.00"),
    )
    stay = client.fetch("GET", f"/bookings/{BOOKING_ID}/", prefix="/api")
    report.expect("the stay", (stay["status"], stay["payment_status"]), ("confirmed", "completed"))
    report.expect("the payment that failed", _verify(client, failed).status_code, 400)
    return reference


def _read_the_mail(client: GatewayClient, report: Report, reference: str) -> None:
    report.step("Email Notification")

    def mails() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = client.call("GET", "/dev/mailbox?format=json", prefix="").json()
        return found or None

    found = wait_until("The confirmation", mails, timeout_s=MAIL_TIMEOUT_S)
    report.expect(
        "confirmations", [mail["subject"] for mail in found], ["Payment Confirmation - Booking #f367ddf9"]
    )
    payment_id = _verify(client, reference).json()["data"]["payment_id"]
    report.expect("of this payment", f"Payment ID: {payment_id}\n" in found[0]["text"], True)


def _initiate(client: GatewayClient, *, status: int) -> dict[str, Any]:
    body = {
        "booking_id": BOOKING_ID,
        "first_name": "John",
        "last_name": "Doe",
        "email": "customer@example.com",
    }
    answer = client.fetch("POST", "/payments/initiate/", status=status, prefix="/api", json=body)
    data: dict[str, Any] = answer["data"]
    return data


def _verify(client: GatewayClient, reference: str) -> requests.Response:
    return client.call("GET", "/payments/verify/", prefix="/api", params={"tx_ref": reference})


def _pay_by_card(page: str, number: str) -> None:
    """As a traveller does on the provider's page, which keeps the simulated one from paying. Raises Difference."""
    try:
        requests.get(page, timeout=TIMEOUT_S).raise_for_status()
        answer = requests.post(
            f"{page}/card", data={"number": number}, timeout=TIMEOUT_S, allow_redirects=False
        )
        answer.raise_for_status()
    except requests.RequestException as error:
        raise Difference(f"The provider's page did not answer ({type(error).__name__}).") from error


def _reset(report: Report) -> None:
    """`flask demo reset`: of the demo whose settings this process has, else of the one that `make run` has started."""
    report.say("(flask demo reset)")
    words = ("flask", "demo", "reset") if "GATEWAY_ENV" in os.environ else ("launcher", "reset")
    done = subprocess.run(
        [sys.executable, "-m", *words], check=False, capture_output=True, text=True, timeout=RESET_TIMEOUT_S
    )
    if done.returncode:
        raise Difference(f"The demo was not reset: {(done.stdout + done.stderr)[-500:]}")
