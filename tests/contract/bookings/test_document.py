"""The Booking API's document against a running demo: its commands as pasted, its bodies field for field, its mail to the letter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.bookings.document import (
    BOOKING_ID,
    command,
    example,
    mail,
    program,
    without_own,
)
from tests.support.pages import answers
from tests.support.stack import Stack
from tests.support.waiting import wait_until
from tour import bookings

REQUEST = example("Request Payload")
TX_REF = re.compile(r"tx-[0-9a-f]{12}-f367ddf9-f2ff-4de2")


def own_address(text: str, stack: Stack) -> str:
    """The document's commands, at the stack's port."""
    assert "localhost:8000" in text
    return text.replace("localhost:8000", f"localhost:{stack.port}")


def paste(stack: Stack, text: str) -> dict[str, Any]:
    done = subprocess.run(
        ["bash", "-c", own_address(text, stack)], check=True, capture_output=True, text=True, timeout=60
    )
    (body,) = answers(done.stdout)
    return body


def post(stack: Stack, path: str, body: Any) -> requests.Response:
    return requests.post(f"{stack.url}/api{path}", json=body, timeout=30)


def initiate(stack: Stack, **differing: Any) -> requests.Response:
    body = {name: value for name, value in (REQUEST | differing).items() if value is not ...}
    return post(stack, "/payments/initiate/", body)


def verify(stack: Stack, reference: str, method: str = "GET") -> requests.Response:
    return requests.request(
        method, f"{stack.url}/api/payments/verify/", params={"tx_ref": reference}, timeout=30
    )


def paid(stack: Stack) -> str:
    """The demo's booking, paid; the payment's reference."""
    reference: str = initiate(stack).json()["data"]["transaction_reference"]
    booking = f"{stack.url}/api/bookings/{BOOKING_ID}/"
    wait_until(
        lambda: requests.get(booking, timeout=30).json()["status"] == "confirmed", "the booking is paid"
    )
    return reference


def test_initiate_as_pasted(demo: Stack) -> None:
    first, second = (paste(demo, command("Initiate Payment")) for _ in range(2))
    assert without_own(first) == without_own(example("Success Response (201 Created)"))
    assert TX_REF.fullmatch(first["data"]["transaction_reference"])
    assert len(first["data"]["transaction_reference"]) <= 50
    assert second == first | {"message": "Payment already initiated"}
    page = requests.get(first["data"]["checkout_url"], timeout=30)
    assert page.status_code == 200 and "2304" in page.text


def test_statuses_of_initiate(demo: Stack) -> None:
    assert [initiate(demo).status_code for _ in range(2)] == [201, 200]


def test_verify_as_pasted(demo: Stack) -> None:
    assert paste(demo, command("Verify Payment")) == example("Error Response - Payment Not Found")


def test_verify(demo: Stack) -> None:
    """The first verification has numbers and the booking, whoever has completed the payment; every later one texts."""
    reference = paid(demo)
    first, second = verify(demo, reference), verify(demo, reference, "POST")
    # As the document's callback comes, and by the provider's older name, with more that the provider may add.
    returned = {"trx_ref": reference, "status": "success", "ref_id": "AP1"}
    third = requests.get(f"{demo.url}/api/payments/verify/", params=returned, timeout=30)
    expected = example("Success Response - Payment Completed")
    assert first.status_code == 200
    assert without_own(first.json()) == without_own(expected)
    assert '"amount":2304.0,' in first.text and '"total_price":2304.0}' in first.text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", first.json()["data"]["payment_date"])
    known = without_own(example("Success Response - Already Verified"))
    for answer in (second, third):
        assert (answer.status_code, without_own(answer.json())) == (200, known)
        assert answer.json()["data"]["transaction_id"] == first.json()["data"]["transaction_id"]
    again = initiate(demo)
    assert (again.status_code, again.json()) == (
        400,
        example("Error Response - Payment Already Completed"),
    )


def test_the_mail(demo: Stack) -> None:
    reference = paid(demo)
    data = verify(demo, reference).json()["data"]

    def box() -> list[dict[str, str]]:
        found: list[dict[str, str]] = requests.get(
            f"{demo.url}/dev/mailbox", params={"format": "json"}, timeout=30
        ).json()
        return found

    wait_until(box, "the confirmation is sent")
    (found,) = box()
    assert found.keys() == {"id", "from", "to", "subject", "text"}
    assert found["subject"] == mail("Subject")
    assert (found["from"], found["to"]) == (mail("From"), mail("To"))
    shown = example("Success Response - Payment Completed")["data"]
    expected = mail("Content")
    for name in ("payment_id", "transaction_id"):
        expected = expected.replace(shown[name], data[name])
    paid_at = data["payment_date"][:19].replace("T", " ")
    assert found["text"].rstrip("\n") == expected.replace(
        shown["payment_date"][:19].replace("T", " "), paid_at
    )


@pytest.mark.parametrize(
    ("differing", "status", "title"),
    [
        ({"booking_id": ...}, 400, "Error Response - Missing booking_id"),
        ({"booking_id": ""}, 400, "Error Response - Missing booking_id"),
        ({"booking_id": None}, 400, "Error Response - Missing booking_id"),
        ({"booking_id": "f367ddf9-f2ff-4de2-b929-000000000000"}, 404, "Error Response - Booking Not Found"),
        ({"booking_id": "17"}, 404, "Error Response - Booking Not Found"),
    ],
)
def test_refused_initiations(merchant: Stack, differing: dict[str, Any], status: int, title: str) -> None:
    answer = initiate(merchant, **differing)
    assert (answer.status_code, answer.json()) == (status, example(title))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_missing_reference(merchant: Stack, method: str) -> None:
    for address in ("/api/payments/verify/", "/api/payments/verify", "/api/payments/verify/?tx_ref="):
        answer = requests.request(method, f"{merchant.url}{address}", timeout=30)
        assert (answer.status_code, answer.json()) == (400, example("Error Response - Missing tx_ref"))


def test_the_program(demo: Stack, tmp_path: Path) -> None:
    """As printed. The traveller pays a moment later, so the verification may be too early."""
    file = tmp_path / "program.py"
    file.write_text(own_address(program(), demo), encoding="utf-8")
    done = subprocess.run([sys.executable, str(file)], check=True, capture_output=True, text=True, timeout=60)
    first, second = done.stdout.splitlines()
    assert "'Payment initiated successfully'" in first
    assert "'Payment is pending'" in second or "'Payment verified and completed successfully'" in second


def test_the_tour_plays_the_document() -> None:
    assert command("Initiate Payment") == bookings.INITIATE
    assert command("Verify Payment") == bookings.VERIFY
    assert program() == bookings.PROGRAM


def test_provider_error(demo: Stack) -> None:
    """The provider's own sentence is in `details`."""
    rule = {"provider": "chapa", "operation": "initialize", "fault": "token_expired"}
    with rules(demo, rule):
        answer = initiate(demo)
    assert (answer.status_code, answer.json()) == (400, example("Error Response - Chapa API Error"))
    assert initiate(demo).status_code == 201, "the next one is not kept from paying"


@contextmanager
def rules(stack: Stack, *given: dict[str, Any]) -> Iterator[None]:
    control = f"{stack.sandbox_url}/sandbox/control"
    assert requests.post(control, json={"rules": list(given)}, timeout=30).status_code == 200
    try:
        yield
    finally:
        requests.delete(control, timeout=30)
