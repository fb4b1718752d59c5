"""The Tenant API's document: its test commands as printed, a customer's payment, and a withdrawal under four eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from tour.client import GatewayClient, wait_until
from tour.report import Report
from tour.shell import Printed, paste
from tour.totals import Totals
from tour.users import access_token

TITLE: Final = "Tenant API: customers, orders and withdrawals"

TENANT_ID: Final = "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11"
API_KEY: Final = "demo_tenant_key_7Jt2mQ9sVx4L"
CUSTOMER_ID: Final = "123e4567-e89b-12d3-a456-426614174000"

GET_PREFERENCES: Final = """\
curl -X GET "http://localhost:8000/api/v1/customers/{customer_id}/payment-preferences" \\
  -H "X-TENANT-ID: {tenant_id}" \\
  -H "X-TENANT-API-KEY: {api_key}"
"""
SET_PREFERRED: Final = """\
curl -X PUT "http://localhost:8000/api/v1/customers/{customer_id}/preferred-provider" \\
  -H "X-TENANT-ID: {tenant_id}" \\
  -H "X-TENANT-API-KEY: {api_key}" \\
  -H "Content-Type: application/json" \\
  -d '{"provider": "mpesa"}'
"""
SAVE_METHOD: Final = """\
curl -X POST "http://localhost:8000/api/v1/customers/{customer_id}/payment-methods" \\
  -H "X-TENANT-ID: {tenant_id}" \\
  -H "X-TENANT-API-KEY: {api_key}" \\
  -H "Content-Type: application/json" \\
  -d '{
    "provider": "mpesa",
    "details": {"phone_number": "254712345678"}
  }'
"""
GET_OPTIONS: Final = """\
curl -X GET "http://localhost:8000/api/v1/wallet/withdrawal-options" \\
  -H "X-TENANT-ID: {tenant_id}" \\
  -H "X-TENANT-API-KEY: {api_key}"
"""
INITIATE: Final = """\
curl -X POST "http://localhost:8000/api/v1/wallet/withdrawals" \\
  -H "X-TENANT-ID: {tenant_id}" \\
  -H "X-TENANT-API-KEY: {api_key}" \\
  -H "Authorization: Bearer {user1_token}" \\
  -H "Content-Type: application/json" \\
  -d '{
    "amount": 1000.00,
    "method_type": "mpesa",
    "method_details": {"phone_number": "254712345678"}
  }'
"""
APPROVE: Final = """\
curl -X POST "http://localhost:8000/api/v1/wallet/withdrawals/{transaction_id}/approve" \\
  -H "X-TENANT-ID: {tenant_id}" \\
  -H "X-TENANT-API-KEY: {api_key}" \\
  -H "Authorization: Bearer {user2_token}"
"""

METHOD: Final = MappingProxyType({"provider": "mpesa", "details": {"phone_number": "254712345678"}})
WITHDRAWAL: Final = MappingProxyType(
    {
        "amount": 1000.00,
        "method_type": "mpesa",
        "method_details": {"phone_number": "254712345678"},
        "notes": "Monthly withdrawal",
    }
)
INITIATED: Final = MappingProxyType(
    {
        "message": "Withdrawal request initiated successfully",
        "status": "pending",
        "amount": 1000.0,
        "fee": 33.0,
        "net_amount": 967.0,
        "requires_approval": True,
    }
)
APPROVED: Final = MappingProxyType(
    {
        "success": True,
        "message": "Withdrawal approved and processed successfully",
        "amount": 1000.0,
        "net_amount": 967.0,
        "fee": 33.0,
    }
)
FEES: Final = {"mpesa": 33.0, "bank_transfer": 50.0, "till": 27.0}
MINIMUMS: Final = {"mpesa": 10.0, "bank_transfer": 100.0, "till": 10.0}
FOUR_EYES: Final = {"error": "Approver must be different from initiator (four-eyes approval)"}
SCOPE_MISSING: Final = {"detail": "Missing required scope: finance:withdraw:approve"}

NEEDED: Final = 3000.0
TOP_UP: Final = 5000.00
PAYING_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class BackOffice:
    """The demo tenant's: who may initiate (finance), approve (manager) and do everything (owner), with their tokens."""

    client: GatewayClient
    tokens: Mapping[str, str]

    def call(
        self, who: str, method: str, path: str, *, status: int = 200, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """An answer that must have `status`. Raises Difference."""
        headers = {"X-TENANT-ID": TENANT_ID, "X-TENANT-API-KEY": API_KEY}
        content = {} if body is None else {"json": dict(body)}
        return self.client.fetch(
            method, path, status=status, token=self.tokens[who], headers=headers, **content
        )

    def paste(self, command: str, report: Report, *, transaction_id: str = "") -> Printed:
        """The answer to a printed command, its placeholders replaced. Raises Difference."""
        given = {
            "{tenant_id}": TENANT_ID,
            "{api_key}": API_KEY,
            "{customer_id}": CUSTOMER_ID,
            "{user1_token}": self.tokens["finance"],
            "{user2_token}": self.tokens["manager"],
            "{transaction_id}": transaction_id,
        }
        for placeholder, value in given.items():
            command = command.replace(placeholder, value)
        return paste(self.client, command, report)

    def options(self) -> dict[str, Any]:
        return self.call("finance", "GET", "/wallet/withdrawal-options")


def play(client: GatewayClient, report: Report) -> None:
    """Raises Difference when it cannot go on."""
    report.step("Signing in")
    people = ("owner", "finance", "manager")
    office = BackOffice(client, {who: access_token(client, f"{who}@example.com") for who in people})
    available = office.options()["available_balance"]
    report.say(f"The tenant can withdraw {available} KES")
    if available < NEEDED:
        report.say(f"A customer pays {TOP_UP} KES first.")
        _wait_until_paid(office, _check_out(office, _order(office, TOP_UP), {}))
    before = Totals.read(client, ("mpesa",))
    _play_customer_commands(office, report)
    _pay_order(office, report)
    _play_withdrawal_commands(office, report)
    _withdraw(office, report)
    _try_alone(office, report)
    _compare(client, report, before)


def _play_customer_commands(office: BackOffice, report: Report) -> None:
    report.step("Customer Payment Preferences, as printed")
    shown = office.paste(GET_PREFERENCES, report)
    report.expect("preferences", (shown.status, shown.body.get("preferred_provider")), (200, "mpesa"))
    offered = set(shown.body.get("available_providers", ()))
    report.expect("of the document's providers missing", {"mpesa", "paystack", "pesapal"} - offered, set())
    chosen = office.paste(SET_PREFERRED, report)
    report.expect(
        "preferred provider",
        (chosen.status, chosen.body.get("message")),
        (200, "Preferred provider updated successfully"),
    )
    saved = office.paste(SAVE_METHOD, report)
    report.expect(
        "payment method",
        (saved.status, saved.body.get("message")),
        (201, "Payment method saved successfully"),
    )


def _pay_order(office: BackOffice, report: Report) -> None:
    report.step("Customer Payment Flow: options, checkout, saving the method")
    customer = f"/customers/{CUSTOMER_ID}"
    order_id = _order(office, 1000.00)
    options = office.call("owner", "GET", f"{customer}/checkout-options?amount=1000")
    preferred = options["preferred_method"]
    report.expect("the preferred method", {name: preferred[name] for name in METHOD}, dict(METHOD))
    report.expect("the amount", options["amount"], 1000.0)
    payment = _check_out(office, order_id, {"method_id": preferred["id"]})
    report.say(f"Payment {payment['id']}: {payment['status']} through {payment['provider']}")
    paid = _wait_until_paid(office, payment)
    report.expect("the order's payment", (paid["payment"]["id"], paid["amount"]), (payment["id"], 1000.0))
    again = office.call("owner", "POST", f"/orders/{order_id}/checkout", status=400, body={})
    report.expect("a second checkout", again["error"], "Order is already paid")
    lines = office.call("finance", "GET", "/wallet/transactions?limit=100")["results"]
    of_payment = {line["type"]: line["amount"] for line in lines if line["payment_id"] == payment["id"]}
    report.expect("the customer paid", of_payment.get("payment"), 1000.0)
    report.expect("the tenant pays the fee", of_payment.get("fee", 0.0) < 0, True)
    saved = office.call("owner", "POST", f"{customer}/payment-methods", status=201, body=METHOD)
    methods = {method["id"] for method in saved["preferences"]["saved_methods"]}
    report.expect("the method is saved", preferred["id"] in methods, True)


def _order(office: BackOffice, amount: float) -> str:
    """A new order's id."""
    body = {"customer_id": CUSTOMER_ID, "amount": amount, "items": [{"name": "Tour", "quantity": 1}]}
    order_id: str = office.call("owner", "POST", "/orders", status=201, body=body)["id"]
    return order_id


def _check_out(office: BackOffice, order_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return office.call("owner", "POST", f"/orders/{order_id}/checkout", status=201, body=body)


def _wait_until_paid(office: BackOffice, payment: Mapping[str, Any]) -> dict[str, Any]:
    """The paid order."""

    def paid() -> dict[str, Any] | None:
        order = office.call("owner", "GET", f"/orders/{payment['order_id']}")
        return order if order["status"] == "paid" else None

    return wait_until("The payment of the order", paid, timeout_s=PAYING_S)


def _play_withdrawal_commands(office: BackOffice, report: Report) -> None:
    report.step("Tenant Withdrawals, as printed")
    shown = office.paste(GET_OPTIONS, report)
    facts = tuple(shown.body.get(name) for name in ("currency", "fees", "minimum_amounts"))
    report.expect("options", (shown.status, *facts), (200, "KES", FEES, MINIMUMS))
    asked = office.paste(INITIATE, report)
    report.expect("initiated", (asked.status, _part(asked.body, INITIATED)), (201, dict(INITIATED)))
    withdrawal_id = str(asked.body.get("transaction_id"))
    approved = office.paste(APPROVE, report, transaction_id=withdrawal_id)
    report.expect("approved", (approved.status, _part(approved.body, APPROVED)), (200, dict(APPROVED)))
    _expect_completed(office, withdrawal_id, report)


def _withdraw(office: BackOffice, report: Report) -> None:
    report.step("Tenant Withdrawal Flow: options, initiate, approve, history")
    before = office.options()
    asked = office.call("finance", "POST", "/wallet/withdrawals", status=201, body=WITHDRAWAL)
    report.expect("finance initiates", _part(asked, INITIATED), dict(INITIATED))
    held = office.options()
    report.expect("the wallet's balance meanwhile", held["wallet_balance"], before["wallet_balance"])
    report.expect("of it held", _fallen("available_balance", before, held), Decimal(1000))
    path = f"/wallet/withdrawals/{asked['transaction_id']}"
    refused = office.call("finance", "POST", f"{path}/approve", status=403)
    report.expect("finance may not approve", refused, SCOPE_MISSING)
    approved = office.call("manager", "POST", f"{path}/approve")
    report.expect("manager approves", _part(approved, APPROVED), dict(APPROVED))
    provider = approved["provider_response"]
    report.expect("M-Pesa's answer", (provider["provider"], provider.get("response_code")), ("mpesa", "0"))
    _expect_completed(office, asked["transaction_id"], report, notes="Monthly withdrawal")
    debited = _fallen("wallet_balance", before, office.options())
    report.expect("the wallet is debited", debited, Decimal(1000))


def _fallen(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Decimal:
    return Decimal(str(before[name])) - Decimal(str(after[name]))


def _expect_completed(
    office: BackOffice, withdrawal_id: str, report: Report, *, notes: str | None = None
) -> None:
    def found() -> dict[str, Any] | None:
        listed = office.call("finance", "GET", "/wallet/withdrawals?status=completed")["results"]
        return next((item for item in listed if item["id"] == withdrawal_id), None)

    item = wait_until("The payout", found, timeout_s=PAYING_S)
    names = ("status", "amount", "fee", "net_amount", "notes")
    facts = tuple(item[name] for name in names)
    report.expect("in the history", facts, ("completed", 1000.0, 33.0, 967.0, notes))
    report.expect("two people", item["approved_by"] not in (None, item["initiated_by"]), True)


def _try_alone(office: BackOffice, report: Report) -> None:
    report.step("Four eyes: the owner, who may do both, approves their own withdrawal; then it is canceled")
    asked = office.call("owner", "POST", "/wallet/withdrawals", status=201, body=WITHDRAWAL)
    path = f"/wallet/withdrawals/{asked['transaction_id']}"
    refused = office.call("owner", "POST", f"{path}/approve", status=400)
    report.expect("the answer", refused, FOUR_EYES)
    canceled = office.call("owner", "POST", f"{path}/cancel", body={"reason": "Changed mind"})
    words = (canceled["message"], canceled["status"])
    report.expect("canceled", words, ("Withdrawal canceled successfully", "canceled"))


def _compare(client: GatewayClient, report: Report, before: Totals) -> None:
    report.step("Comparing the simulators' totals with the gateway's")
    after = Totals.read(client, ("mpesa",))
    at_mpesa = after.at_provider_since(before, "mpesa", "KES")
    report.expect("mpesa's total: collected", at_mpesa.charged, Decimal("1000.00"))
    report.expect("mpesa's total: paid out", at_mpesa.paid_out, 2 * Decimal("967.00"))
    collected, refunded = after.at_gateway_since(before, "KES")
    report.expect("the gateway's total: KES collected", collected, Decimal("1000.00"))
    report.expect("the gateway's total: KES refunded", refunded, Decimal(0))
    report.expect("findings of the ledger's check", list(after.findings), [])


def _part(body: Mapping[str, Any], documented: Mapping[str, Any]) -> dict[str, Any]:
    """Of the answer what the document shows."""
    return {name: body.get(name) for name in documented}
