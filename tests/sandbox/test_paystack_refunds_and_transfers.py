"""The Paystack simulator's refunds and transfers over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests

from tests.support.concurrency import concurrently
from tests.support.merchant import Merchant
from tests.support.sandbox import CallbackReceiver
from tests.support.sandbox_parts import ServedSandbox, listened_sandbox
from tests.support.waiting import wait_until

MPESA = {
    "type": "mobile_money",
    "name": "Wanjiku",
    "account_number": "0712345678",
    "bank_code": "MPESA",
    "currency": "KES",
}
numbers = count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedSandbox, CallbackReceiver]]:
    with listened_sandbox(tmp_path_factory.mktemp("paystack"), autopay_s=0.05) as pair:
        yield pair


@pytest.fixture
def paystack(served: tuple[ServedSandbox, CallbackReceiver]) -> Paystack:
    return Paystack(*served)


class Paystack(Merchant):
    provider, base, key = "paystack", "/paystack", "sk_test_sandbox_paystack"

    def transaction(self, reference: str) -> dict[str, Any]:
        return self.get(f"/transaction/verify/{reference}").json()["data"]

    def paid(self, amount: int = 10_000) -> dict[str, Any]:
        reference = f"out-{next(numbers)}"
        body = {"email": "a@b.co", "amount": amount, "currency": "KES", "reference": reference}
        assert self.post("/transaction/initialize", body).ok
        self.sandbox.until(lambda: self.transaction(reference)["status"] == "success", "the customer pays")
        return self.transaction(reference)

    def refund(self, transaction: object, **more: Any) -> requests.Response:
        return self.post("/refund", {"transaction": transaction} | more)

    def refund_becomes(self, id: int, status: str) -> dict[str, Any]:
        self.sandbox.until(lambda: self.get(f"/refund/{id}").json()["data"]["status"] == status, status)
        return self.get(f"/refund/{id}").json()["data"]

    def recipient(self, **changed: Any) -> str:
        answer = self.post("/transferrecipient", MPESA | changed)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["recipient_code"]

    def transfer(self, **changed: Any) -> requests.Response:
        body = {"source": "balance", "amount": 50_000, "reference": f"transfer-{next(numbers):08}"}
        if "recipient" not in changed:
            body["recipient"] = self.recipient()
        return self.post("/transfer", body | changed)

    def transfer_status(self, reference: str) -> str:
        return self.get(f"/transfer/verify/{reference}").json()["data"]["status"]

    def events(self, prefix: str) -> list[tuple[str, dict[str, Any]]]:
        return [(body["event"], body["data"]) for body in self.webhooks() if body["event"].startswith(prefix)]


def test_a_refund_is_pending_processing_processed(paystack: Paystack) -> None:
    paid = paystack.paid()
    answer = paystack.refund(paid["reference"], amount=2_500, merchant_note="rf-1").json()
    assert answer["message"] == "Refund has been queued for processing"
    data = answer["data"]
    assert (data["status"], data["amount"], data["transaction"]["id"]) == ("pending", 2_500, paid["id"])
    assert paystack.refund_becomes(data["id"], "processed")["transaction"] == paid["id"]
    assert paystack.recorded("refund") == [("rf-1", "25.00")]
    webhooks = paystack.sandbox.until(
        lambda: len(found := paystack.events("refund.")) == 3 and found, "three webhooks arrive"
    )
    assert sorted(name for name, _ in webhooks) == ["refund.pending", "refund.processed", "refund.processing"]
    assert {data["amount"] for _, data in webhooks} == {"2500"}
    assert all(
        "id" not in data and data["transaction_reference"] == paid["reference"] for _, data in webhooks
    )
    assert paystack.transaction(paid["reference"])["status"] == "success"


def test_a_transaction_that_is_refunded_in_full_is_reversed(paystack: Paystack) -> None:
    paid = paystack.paid()
    for amount in (4_000, None):
        refund = paystack.refund(str(paid["id"]), amount=amount).json()["data"]
        paystack.refund_becomes(refund["id"], "processed")
    assert refund["amount"] == 6_000
    assert paystack.transaction(paid["reference"])["status"] == "reversed"
    again = paystack.refund(paid["reference"])
    assert (again.status_code, again.json()["message"]) == (400, "Transaction has been fully reversed")
    listed = paystack.get(f"/refund?transaction={paid['id']}").json()["data"]
    assert [one["amount"] for one in listed] == [6_000, 4_000]
    assert len(paystack.get(f"/refund?transaction={paid['reference']}").json()["data"]) == 2
    assert paystack.get("/refund?transaction=unknown").json()["data"] == []


def test_refunds_together_are_at_most_the_payment(paystack: Paystack) -> None:
    paid = paystack.paid(10_000)
    answers = concurrently(10, lambda _: paystack.refund(paid["reference"], amount=3_000))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [400] * 7
    assert paystack.refund(paid["reference"]).json()["data"]["amount"] == 1_000


def test_refunds_that_are_refused(paystack: Paystack) -> None:
    paid = paystack.paid()
    assert paystack.refund("unknown").status_code == 404
    assert paystack.refund(None).status_code == 404
    assert paystack.get("/refund/1").status_code == 404
    assert paystack.refund(paid["reference"], amount=10_001).status_code == 400
    assert paystack.refund(paid["reference"], amount=1.5).json()["code"] == "invalid_amount"
    assert paystack.refund(paid["reference"], currency="USD").json()["code"] == "unsupported_currency"
    paystack.sandbox.control({"autopay_s": "off"})
    paystack.post("/transaction/initialize", {"email": "a@b.co", "amount": 100, "reference": "unpaid"})
    assert paystack.refund("unpaid").status_code == 400


def test_a_failed_refund_releases_its_amount(paystack: Paystack) -> None:
    paid = paystack.paid(712_300)
    refund = paystack.refund(paid["reference"]).json()["data"]
    paystack.refund_becomes(refund["id"], "failed")
    [(_, webhook)] = paystack.sandbox.until(lambda: paystack.events("refund.failed"), "the webhook arrives")
    assert (webhook["amount"], "id" in webhook) == (712_300, False)
    assert paystack.recorded("refund") == []
    assert paystack.refund(paid["reference"]).ok


def test_a_refund_that_needs_attention(paystack: Paystack) -> None:
    paid = paystack.paid(712_400)
    id = paystack.refund(paid["reference"], amount=100).json()["data"]["id"]
    paystack.refund_becomes(id, "needs-attention")
    [(_, webhook)] = paystack.sandbox.until(
        lambda: paystack.events("refund.needs-attention"), "the webhook arrives"
    )
    assert (webhook["amount"], webhook["id"]) == (100, id)
    path = f"/refund/retry_with_customer_details/{id}"
    account = {"currency": "KES", "account_number": "1234567890", "bank_id": "9"}
    assert paystack.post(path, {}).status_code == 400
    assert paystack.post(path, {"refund_account_details": account}).json()["data"]["status"] == "processing"
    paystack.refund_becomes(id, "processed")
    assert paystack.post(path, {"refund_account_details": account}).status_code == 400
    assert paystack.recorded("refund") == [(str(id), "1.00")]


def test_refund_webhooks_out_of_order(paystack: Paystack) -> None:
    paid = paystack.paid()
    paystack.sandbox.control({"rules": [{"operation": "refund", "fault": "callback_reorder"}]})
    paystack.refund(paid["reference"])
    webhooks = wait_until(
        lambda: len(found := paystack.events("refund.")) == 3 and found, "three webhooks arrive"
    )
    assert webhooks[0][0] == "refund.processed"


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "mobile_money_business", "bank_code": "MPTILL", "account_number": "247247"},
        {"type": "mobile_money_business", "bank_code": "MPPAYBILL", "account_number": "888880"},
        {"type": "kepss", "bank_code": "68", "account_number": "0100123456789"},
        {"type": "nuban", "bank_code": "058", "account_number": "0123456789", "currency": "NGN"},
        {"type": "ghipss", "bank_code": "030100", "account_number": "1234567890", "currency": "GHS"},
        {"type": "basa", "bank_code": "632005", "account_number": "62000000000", "currency": "ZAR"},
    ],
)
def test_recipients(paystack: Paystack, changed: dict[str, str]) -> None:
    code = paystack.recipient(**changed)
    assert code.startswith("RCP_") and paystack.recipient(**changed) == code
    kept = paystack.get(f"/transferrecipient/{code}").json()["data"]
    assert (kept["type"], kept["details"]["account_number"]) == (changed["type"], changed["account_number"])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": ""}, "missing_params"),
        ({"type": "pigeon"}, "invalid_params"),
        ({"bank_code": "NOBANK"}, "invalid_bank_code"),
        ({"currency": "NGN"}, "invalid_bank_code"),
        ({"account_number": "254712345678"}, "invalid_account_number"),
    ],
)
def test_recipients_that_are_refused(paystack: Paystack, changed: dict[str, str], code: str) -> None:
    answer = paystack.post("/transferrecipient", MPESA | changed)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_transfer_is_queued_then_completed(paystack: Paystack) -> None:
    answer = paystack.transfer(reference="transfer-of-a-whole").json()
    data = answer["data"]
    assert (answer["message"], data["status"]) == ("Transfer has been queued", "pending")
    paystack.sandbox.until(lambda: paystack.transfer_status("transfer-of-a-whole") == "success", "it is paid")
    assert paystack.recorded("payout") == [("transfer-of-a-whole", "500.00")]
    [(name, webhook)] = paystack.sandbox.until(lambda: paystack.events("transfer."), "the webhook arrives")
    assert (name, webhook["amount"], webhook["reference"]) == (
        "transfer.success",
        50_000,
        "transfer-of-a-whole",
    )
    assert webhook["recipient"]["details"]["account_number"] == "0712345678"
    for handle in (data["transfer_code"], data["id"]):
        assert paystack.get(f"/transfer/{handle}").json()["data"]["status"] == "success"


def test_a_transfer_reference_is_used_once(paystack: Paystack) -> None:
    recipient = paystack.recipient()
    body = {"reference": "the-same-reference", "recipient": recipient}
    answers = concurrently(6, lambda _: paystack.transfer(**body))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5
    assert {a.json()["code"] for a in answers if a.status_code == 400} == {"duplicate_reference"}
    paystack.sandbox.until(lambda: paystack.recorded("payout"), "it is paid")
    assert len(paystack.recorded("payout")) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"source": "pocket"}, "invalid_transfer_source"),
        ({"amount": 1.5}, "invalid_amount"),
        ({"recipient": "RCP_unknown"}, "invalid_transfer_recipient"),
        ({"currency": "NGN"}, "unsupported_currency"),
        ({"reference": "short"}, "invalid_transfer_reference"),
        ({"reference": "UPPER-CASE-REFERENCE"}, "invalid_transfer_reference"),
        ({"amount": 710_100}, "insufficient_balance"),
        ({"amount": 99_000_000_000}, "insufficient_balance"),
    ],
)
def test_transfers_that_are_refused(paystack: Paystack, changed: dict[str, Any], code: str) -> None:
    answer = paystack.transfer(**changed)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(("amount", "status"), [(710_400, "failed"), (710_200, "reversed")])
def test_transfers_that_do_not_succeed(paystack: Paystack, amount: int, status: str) -> None:
    paystack.transfer(reference="transfer-that-fails", amount=amount)
    paystack.sandbox.until(lambda: paystack.transfer_status("transfer-that-fails") == status, status)
    [(name, _)] = paystack.sandbox.until(lambda: paystack.events("transfer."), "the webhook arrives")
    assert name == f"transfer.{status}" and paystack.recorded("payout") == []


def test_a_transfer_requires_a_code(paystack: Paystack) -> None:
    answer = paystack.transfer(reference="transfer-with-code", amount=712_100).json()
    code = answer["data"]["transfer_code"]
    assert answer["data"]["status"] == "otp"
    wrong = paystack.post("/transfer/finalize_transfer", {"transfer_code": code, "otp": "1"})
    assert wrong.json()["code"] == "invalid_otp"
    assert paystack.transfer_status("transfer-with-code") == "otp"
    assert paystack.post("/transfer/finalize_transfer", {"transfer_code": code, "otp": "123456"}).ok
    paystack.sandbox.until(lambda: paystack.transfer_status("transfer-with-code") == "success", "it is paid")
    again = paystack.post("/transfer/finalize_transfer", {"transfer_code": code, "otp": "123456"})
    assert again.status_code == 400


def test_a_transfer_succeeds_at_once(paystack: Paystack) -> None:
    assert paystack.transfer(amount=712_200).json()["data"]["status"] == "success"
    paystack.transfer(reference="the-transfer-after-it")
    # Both timers are due then, that of the first transfer before the other.
    paystack.sandbox.control({"advance_s": 10})
    paystack.sandbox.until(
        lambda: paystack.transfer_status("the-transfer-after-it") == "success",
        "the next transfer is completed",
    )
    assert sorted(amount for _, amount in paystack.recorded("payout")) == ["500.00", "7122.00"]
    paystack.sandbox.until(lambda: len(paystack.sandbox.callbacks("paystack")) >= 2, "both are reported")
    assert len(paystack.sandbox.callbacks("paystack")) == 2


def test_the_answer_of_a_transfer_is_lost(paystack: Paystack) -> None:
    recipient = paystack.recipient()
    with pytest.raises(requests.ConnectionError):
        paystack.transfer(reference="transfer-of-no-answer", amount=700_100, recipient=recipient)
    paystack.sandbox.until(
        lambda: paystack.transfer_status("transfer-of-no-answer") == "success", "it was done"
    )
    unknown = paystack.get("/transfer/verify/transfer-never-seen")
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Transfer not found")


def test_transfers_in_bulk(paystack: Paystack) -> None:
    recipient = paystack.recipient()
    entries = [
        {"amount": 100, "recipient": recipient, "reference": f"bulk-transfer-{n:04}"} for n in range(2)
    ]
    paystack.sandbox.control({"advance_s": next(numbers) * 60})
    answer = paystack.post("/transfer/bulk", {"source": "balance", "transfers": entries})
    assert len(answer.json()["data"]) == 2
    assert paystack.post("/transfer/bulk", {"source": "balance", "transfers": entries}).status_code == 400
    other = [entries[0] | {"reference": "bulk-transfer-9999"}]
    assert paystack.post("/transfer/bulk", {"source": "balance", "transfers": other}).status_code == 429


def test_banks_accounts_and_balances(paystack: Paystack) -> None:
    kenya = paystack.get("/bank?country=kenya&currency=KES&type=mobile_money").json()["data"]
    assert "MPESA" in {bank["code"] for bank in kenya} and {bank["type"] for bank in kenya} == {
        "mobile_money"
    }
    resolved = paystack.get("/bank/resolve?account_number=0123456789&bank_code=058").json()["data"]
    assert resolved["account_number"] == "0123456789"
    assert paystack.get("/bank/resolve?account_number=1&bank_code=058").status_code == 422

    def kes() -> int:
        data = paystack.get("/balance").json()["data"]
        return next(one["balance"] for one in data if one["currency"] == "KES")

    before, fees = kes(), paystack.paid(10_000)["fees"]
    assert kes() - before == 10_000 - fees
    paystack.transfer(amount=500)
    assert kes() - before == 9_500 - fees


def test_a_restart_completes_pending_operations(paystack: Paystack) -> None:
    paid = paystack.paid()
    refund = paystack.refund(paid["reference"], amount=4_000).json()["data"]["id"]
    paystack.transfer(reference="transfer-that-survives")
    paystack.sandbox.kill()
    paystack.sandbox.start()
    paystack.sandbox.until(
        lambda: paystack.transfer_status("transfer-that-survives") == "success", "it is paid"
    )
    paystack.refund_becomes(refund, "processed")
    assert [amount for _, amount in paystack.recorded("refund")] == ["40.00"]
    assert [amount for _, amount in paystack.recorded("payout")] == ["500.00"]
