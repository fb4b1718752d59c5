"""The Gateway API document's commands, pasted into a shell one after the other, against a running demo.

document_001.txt is the document's text. Two things are replaced in the commands: `{transaction_id}`, as its reader must,
and the port of `http://localhost:5000`, because a demo on this machine may use it.
"""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.stack import Stack
from tests.support.waiting import wait_until

DOCUMENT = Path(__file__).with_name("document_001.txt").read_text(encoding="utf-8")
CURL = DOCUMENT.split("## API TESTING WITH CURL")[1].split("## TROUBLESHOOTING")[0]
INITIALIZE, GET, VERIFY, LIST = re.findall(r"```bash\n(.*?)```", CURL, re.DOTALL)

SCHEMA = DOCUMENT.split("class TransactionSchema(Schema):")[1].split("```")[0]
FIELDS: dict[str, str] = dict(re.findall(r"(\w+) = fields\.(\w+)\(", SCHEMA))
"""Field → marshmallow's kind, as the document's schema says."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
PAGINATION = set(re.findall(r"'(\w+)': pagination\.", DOCUMENT))


@dataclass
class Reader:
    """A reader with the document and a shell."""

    stack: Stack
    environment: dict[str, str]
    folder: Path
    keys: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Ends each of this reader's keys, so that no test meets another's."""

    def paste(self, command: str, transaction_id: str = "") -> dict[str, Any]:
        """What the command prints: JSON, and nothing else."""
        command = command.replace("{transaction_id}", transaction_id)
        done = subprocess.run(
            ["bash", "-c", command.replace("localhost:5000", f"localhost:{self.stack.port}")],
            check=False,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def call(self, method: str, path: str, *, key: str | None = None, **content: Any) -> requests.Response:
        headers = {"Idempotency-Key": f"{key}-{self.keys}"} if key else {}
        url = f"{self.stack.url}/api/v1/payments{path}"
        return requests.request(method, url, headers=headers, timeout=20, **content)

    def wait_until_paid(self, payment_id: str) -> None:
        wait_until(
            lambda: self.paste(GET, payment_id)["data"]["status"] == "completed", "the payment", every_s=0.2
        )


@pytest.fixture
def reader(merchant: Stack, shell: dict[str, str], tmp_path: Path) -> Reader:
    return Reader(merchant, shell, tmp_path)


@pytest.fixture
def first_day(demo: Stack, shell: dict[str, str], tmp_path: Path) -> Reader:
    """A reader who is the first to use the gateway."""
    return Reader(demo, shell, tmp_path)


def assert_is_transaction(found: dict[str, Any]) -> None:
    """Every field of the document's schema, of its kind."""
    assert set(FIELDS) == {
        "id",
        "idempotency_key",
        "provider",
        "provider_transaction_id",
        "amount",
        "currency",
        "status",
        "customer",
        "payment_method",
        "metadata",
        "provider_response",
        "created_at",
        "updated_at",
        "completed_at",
    }
    may_be_empty = {"provider_transaction_id", "metadata", "provider_response", "completed_at"}
    for name, kind in FIELDS.items():
        value = found[name]
        if value is None:
            assert name in may_be_empty, name
            continue
        match kind:
            case "UUID":
                assert str(uuid.UUID(value)) == value
            case "Decimal":
                assert re.fullmatch(r"\d+\.\d\d", value), value
            case "DateTime":
                assert TIME.fullmatch(value), value
            case "Dict":
                assert isinstance(value, dict), name
            case _:
                assert isinstance(value, str), name


def test_the_four_commands_run_as_printed(first_day: Reader) -> None:
    asked = first_day.paste(INITIALIZE)
    assert asked["success"] is True
    payment = asked["data"]
    assert_is_transaction(payment)
    assert (payment["provider"], payment["payment_method"]) == ("mpesa", "mpesa")
    assert (payment["amount"], payment["currency"]) == ("1000.00", "KES")
    assert payment["status"] == "processing"  # the customer's phone is asked
    assert payment["customer"] == {
        "id": None,
        "phone": "+254700000000",
        "email": "test@example.com",
        "name": "John Doe",
    }
    assert payment["metadata"] == {"order_id": "ORD-12345"}
    assert str(uuid.UUID(payment["idempotency_key"])) == payment["idempotency_key"]
    assert payment["provider_transaction_id"] and payment["provider_response"]

    looked = first_day.paste(GET, payment["id"])
    assert looked["success"] is True and looked["data"]["id"] == payment["id"]
    assert_is_transaction(looked["data"])
    verified = first_day.paste(VERIFY, payment["id"])
    assert verified["success"] is True and verified["data"]["status"] in ("processing", "completed")
    assert_is_transaction(verified["data"])

    first_day.wait_until_paid(payment["id"])
    final = first_day.paste(VERIFY, payment["id"])["data"]
    assert final["status"] == "completed" and TIME.fullmatch(final["completed_at"])
    assert_is_transaction(final)

    listed = first_day.paste(LIST)
    assert listed["success"] is True and set(listed["data"]) == {"items", "pagination"}
    assert listed["data"]["items"] == [final]
    pagination = listed["data"]["pagination"]
    assert {name: pagination[name] for name in sorted(PAGINATION)} == {
        "has_next": False,
        "has_prev": False,
        "page": 1,
        "pages": 1,
        "per_page": 20,
        "total": 1,
    }


def test_commands_pasted_twice_create_two_payments(first_day: Reader) -> None:
    """`$(uuidgen)` makes a new key each time, so the second paste creates a second payment."""
    first, second = first_day.paste(INITIALIZE)["data"], first_day.paste(INITIALIZE)["data"]
    assert first["id"] != second["id"] and first["idempotency_key"] != second["idempotency_key"]
    for payment in (first, second):
        first_day.wait_until_paid(payment["id"])
    assert [item["id"] for item in first_day.paste(LIST)["data"]["items"]] == [second["id"], first["id"]]


def test_the_status_codes_are_the_documents(reader: Reader) -> None:
    answer = reader.call("POST", "/initialize", key="status-codes", json=request_body())
    assert answer.status_code == 201 and answer.headers["Content-Type"].startswith("application/json")
    again = reader.call("POST", "/initialize", key="status-codes", json=request_body())
    assert again.status_code == 201 and again.json() == answer.json()
    payment_id = answer.json()["data"]["id"]
    assert reader.call("GET", f"/{payment_id}").status_code == 200
    assert reader.call("POST", f"/{payment_id}/verify").status_code == 200
    refund = {"amount": 500.00, "reason": "Customer request"}  # the document's own body
    refunded = reader.call("POST", f"/{payment_id}/refund", key="status-refund", json=refund)
    assert refunded.status_code == 200 and refunded.json()["success"] is True
    assert_is_transaction(refunded.json()["data"])
    assert reader.call("GET", "").status_code == 200


def request_body(**differing: Any) -> dict[str, Any]:
    """The document's request body for CPay, which answers at once; `...` omits a field."""
    body = {
        "provider": "cpay",
        "amount": 1000,
        "currency": "KES",
        "customer": {"phone": "+254700000000", "email": "test@example.com", "name": "John Doe"},
        "metadata": {"order_id": "ORD-12345"},
    }
    return {name: value for name, value in (body | differing).items() if value is not ...}


MISSING_KEY = {
    "error": "Missing Idempotency-Key header",
    "message": "All mutation requests require an Idempotency-Key header",
}


def test_missing_key_gets_the_documents_400(reader: Reader) -> None:
    assert json.dumps(MISSING_KEY["error"])[1:-1] in DOCUMENT and MISSING_KEY["message"] in DOCUMENT
    refused = reader.call("POST", "/initialize", json=request_body())
    assert (refused.status_code, refused.json()) == (400, MISSING_KEY)
    payment_id = reader.call("POST", "/initialize", key="with-key", json=request_body()).json()["data"]["id"]
    refused = reader.call("POST", f"/{payment_id}/refund", json={})
    assert (refused.status_code, refused.json()) == (400, MISSING_KEY)


@pytest.mark.parametrize(
    ("differing", "path", "message"),
    [
        ({"amount": 0}, ("amount",), "Amount must be greater than 0"),
        ({"amount": -5}, ("amount",), "Amount must be greater than 0"),
        ({"amount": ...}, ("amount",), ""),
        ({"provider": "venmo"}, ("provider",), "Provider must be one of: "),
        ({"provider": ...}, ("provider",), ""),
        ({"currency": ...}, ("currency",), ""),
        ({"customer": ...}, ("customer",), ""),
        (
            {"provider": "mpesa", "customer": {"email": "a@example.com"}},
            ("customer", "phone"),
            "M-Pesa needs",
        ),
        ({"customer": {"phone": "+254700000000", "email": "x"}}, ("customer", "email"), ""),
    ],
)
def test_invalid_payment_request_gets_the_documents_validation_error(
    reader: Reader, differing: dict[str, Any], path: tuple[str, ...], message: str
) -> None:
    refused = reader.call("POST", "/initialize", key="wrong-order", json=request_body(**differing))
    body = refused.json()
    assert refused.status_code == 400
    assert (body["success"], body["error"]) == (False, "Validation error")
    found: Any = body["details"]
    for name in path:
        found = found[name]
    # Where the document has no words of its own, some sentence will do.
    assert len(found) == 1 and found[0].startswith(message) and found[0]


def test_invalid_refund_gets_the_documents_validation_error(reader: Reader) -> None:
    payment_id = reader.call("POST", "/initialize", key="to-refund", json=request_body()).json()["data"]["id"]
    refused = reader.call("POST", f"/{payment_id}/refund", key="wrong-refund", json={"amount": 0})
    assert (refused.status_code, refused.json()) == (
        400,
        {
            "success": False,
            "error": "Validation error",
            "details": {"amount": ["Refund amount must be greater than 0"]},
        },
    )


def test_only_completed_payments_are_refunded(reader: Reader) -> None:
    waiting = request_body(metadata={"simulate": "pending"})
    payment_id = reader.call("POST", "/initialize", key="waits", json=waiting).json()["data"]["id"]
    refused = reader.call("POST", f"/{payment_id}/refund", key="too-early", json={"reason": "x"})
    assert (refused.status_code, refused.json()) == (
        400,
        {"success": False, "error": "Can only refund completed transactions"},
    )
    assert reader.call("POST", f"/{payment_id}/cancel").status_code == 200


@pytest.mark.parametrize(
    "ask",
    [
        lambda reader, path: reader.call("GET", path),
        lambda reader, path: reader.call("POST", f"{path}/verify"),
        lambda reader, path: reader.call("POST", f"{path}/refund", key="of-nothing", json={}),
    ],
    ids=["get", "verify", "refund"],
)
def test_unknown_transaction_gets_the_documents_404(
    reader: Reader, ask: Callable[[Reader, str], requests.Response]
) -> None:
    answer = ask(reader, f"/{uuid.uuid4()}")
    assert (answer.status_code, answer.json()) == (404, {"success": False, "error": "Transaction not found"})


def test_lists_filter_and_page_as_the_document_says(first_day: Reader) -> None:
    ids = []
    for number in range(3):
        customer = {"phone": "+254700000000", "id": "cust-1" if number else "cust-0"}
        answer = first_day.call(
            "POST", "/initialize", key=f"list-{number}", json=request_body(customer=customer)
        )
        ids.append(answer.json()["data"]["id"])

    def listed(**query: Any) -> tuple[list[str], dict[str, Any]]:
        answer = first_day.call("GET", "", params=query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["data"]["items"]], answer.json()["data"]["pagination"]

    assert listed()[0] == ids[::-1]
    assert listed(customer_id="cust-1")[0] == ids[:0:-1]
    assert listed(provider="mpesa")[0] == [] and listed(status="failed")[0] == []
    first, pagination = listed(page=1, per_page=2)
    assert first == ids[:0:-1]
    assert (pagination["total"], pagination["pages"], pagination["has_next"], pagination["has_prev"]) == (
        3,
        2,
        True,
        False,
    )
    second, pagination = listed(page=2, per_page=2)
    assert second == ids[:1] and (pagination["has_next"], pagination["has_prev"]) == (False, True)
    assert listed(page=9, per_page=2)[0] == []
    assert listed(per_page=1000)[1]["per_page"] == 100


def test_testing_commands_name_existing_paths() -> None:
    commands = DOCUMENT.split("## TESTING COMMANDS")[1].split("## API TESTING")[0]
    root = Path(__file__).parents[3]
    for path in re.findall(r"^pytest (tests/\S+)$", commands, re.MULTILINE):
        assert (root / path).exists(), path
