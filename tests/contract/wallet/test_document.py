"""The Wallet API document's three programs, run as printed, in one namespace, against a running demo.

document_000.txt is the document's text. Two things are replaced in it: SENDER_ACCESS_TOKEN by a token, as its reader
must, and the port of `http://localhost:5000`, because a demo on this machine may use it. The third program
uses `headers` and `payment_data` without defining them; the test supplies them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.stack import Stack
from tour.users import PASSWORD

DOCUMENT = Path(__file__).with_name("document_000.txt").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
PAYING, BATCH, ERROR_HANDLING = PROGRAMS


class Reader:
    """A reader who follows the document: one namespace, programs pasted into it one after the other."""

    def __init__(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = f"{stack.url}/api/v1"
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self._port = stack.port
        self._capsys = capsys

    def token_of(self, email: str) -> str:
        answer = requests.post(f"{self.url}/auth/login", json={"email": email, "password": PASSWORD})
        token: str = answer.json()["access_token"]
        return token

    def run(self, program: str) -> str:
        """What the program prints."""
        program = program.replace("localhost:5000", f"localhost:{self._port}")
        program = program.replace("SENDER_ACCESS_TOKEN", self.token_of("sender@example.com"))
        self._capsys.readouterr()
        exec(compile(program, "docs/api/wallet.md", "exec"), self.namespace)
        return self._capsys.readouterr().out

    def balance(self, email: str, wallet_id: str) -> str:
        headers = {"Authorization": f"Bearer {self.token_of(email)}"}
        answer = requests.get(f"{self.url}/accounts/{wallet_id}", headers=headers)
        balance: str = answer.json()["account"]["balance"]
        return balance

    def attempt(self, email: str, **payment: Any) -> str:
        """The third program with these `headers` and `payment_data`."""
        self.namespace["headers"] = {"Authorization": f"Bearer {self.token_of(email)}"}
        self.namespace["payment_data"] = payment
        return self.run(ERROR_HANDLING).strip()


@pytest.fixture
def reader(demo: Stack, capsys: pytest.CaptureFixture[str]) -> Reader:
    return Reader(demo, capsys)


# The document shows "$1000.00"; its program prints the float it made of it, "$1000.0".
EXPECTED_OUTPUT = re.compile(
    r"""1\. Checking sender balance\.\.\.
Sender balance: \$1000\.0

2\. Creating payment of \$100\.0\.\.\.
Payment created: ID=pmt_[0-9a-f]{32}
Status: pending

3\. Monitoring payment status\.\.\.
(?:Attempt \d: Status = (?:pending|processing)\n)*Attempt \d: Status = completed

4\. Payment final status\.\.\.
✓ Payment completed successfully!
Transaction ID: txn_[0-9a-f]{32}
Completed at: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z

5\. Verifying updated balances\.\.\.
Sender balance after: \$900\.00
Change: \$-100\.0
"""
)


def test_document_programs_run_as_printed(reader: Reader) -> None:
    printed = reader.run(PAYING)
    assert EXPECTED_OUTPUT.fullmatch(printed), printed
    assert reader.balance("bob@example.com", "acc_recipient_456") == "100.00"

    printed = reader.run(BATCH)
    assert [result["status"] for result in reader.namespace["results"]] == [201, 201, 201]
    assert re.sub(r"pmt_[0-9a-f]{32}", "pmt", printed).splitlines() == [
        "Sent $50.0 to alice@example.com: pmt",
        "Sent $75.0 to bob@example.com: pmt",
        "Sent $100.0 to charlie@example.com: pmt",
    ]
    assert reader.balance("sender@example.com", "acc_sender_123") == "675.00"
    assert reader.balance("bob@example.com", "acc_recipient_456") == "175.00"

    from_sender = {"source_wallet_id": "acc_sender_123", "destination": "alice@example.com"}
    from_bob = {"source_wallet_id": "acc_recipient_456", "destination": "alice@example.com"}
    assert (
        reader.attempt("sender@example.com", amount=675.01, **from_sender)
        == "Error: Not enough funds in wallet"
    )
    # Bob is not verified: 100 USD a day.
    assert (
        reader.attempt("bob@example.com", amount=150.00, **from_bob)
        == "Error: KYC verification required before making payments"
    )
    assert reader.attempt("bob@example.com", amount=60.00, **from_bob) == ""
    assert (
        reader.attempt("bob@example.com", amount=60.00, **from_bob)
        == "Error: Daily transaction limit exceeded"
    )
    assert reader.balance("bob@example.com", "acc_recipient_456") == "115.00"


def test_other_errors_reach_the_documents_last_branch(reader: Reader) -> None:
    reader.run(PAYING)
    payment = {"source_wallet_id": "acc_sender_123", "destination": "nobody@example.com", "amount": 5}
    assert "RECIPIENT_NOT_FOUND" in reader.attempt("sender@example.com", **payment)
    assert "INVALID_AMOUNT" in reader.attempt("sender@example.com", **payment | {"amount": -5})
    assert "ACCOUNT_NOT_FOUND" in reader.attempt("bob@example.com", **payment)


def test_a_failed_creation_ends_the_first_program(reader: Reader) -> None:
    """`exit(1)` in the document: with nothing to pay from, the program says so and ends with status 1."""
    program = PAYING.replace("payment_amount = 100.00", "payment_amount = 5000.00")
    with pytest.raises(SystemExit) as ended:
        reader.run(program)
    assert ended.value.code == 1
