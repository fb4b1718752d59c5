"""Money that came too late or in another amount waits in suspense until an operator decides. It is never dropped."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app.errors import InvalidRequest
from app.money import Money
from app.services.operator import decisions, reconciliation
from app.services.provider_access import accounts as provider_accounts
from tests.faults.payments.deliveries import latest, receipt_of
from tests.faults.payments.expectations import PAID, TABLE, Expected, rules
from tests.faults.payments.facts import entries, events, expire, operator, outcome, refused
from tests.support.concurrency import concurrently
from tests.support.gateway import CURRENCIES, ONE_OF_A_KIND, OPERATOR, Gateway

AMOUNT = 100
LATE = Expected("failed", 1, "late_success")
PAYABLE_ON = [
    {"fault": "before", "provider": "stripe", "operation": "expire"},
    {"fault": "before", "provider": "chapa", "operation": "cancel"},
    {"fault": "before", "provider": "pesapal", "operation": "cancel"},
]
"""The page cannot be closed: the providers that could do not answer."""

OTHER_AMOUNT = [name for name, expected in TABLE["wrong amount"].items() if expected.review]


def begin_late(gateway: Gateway, provider: str, *, is_reported: bool = True) -> str:
    """A payment that expired and was paid afterwards: the customer took longer than the gateway waits.

    is_reported: the callback arrives.
    """
    takes_s = 50 if provider == "mpesa" else 3_000  # a prompt is gone after a minute
    gateway.sandbox.control({"rules": PAYABLE_ON, "autopay_s": takes_s})
    payment_id = gateway.begin(provider, AMOUNT)
    expire(gateway, payment_id)
    lost = [] if is_reported else [{"fault": "callback_lost", "operation": "callback"}]
    gateway.sandbox.control({"rules": lost, "advance_s": takes_s})
    gateway.advanced_s = takes_s
    gateway.settle(payment_id, until=(), hours=0.01)
    return payment_id


@pytest.mark.parametrize("provider", ["mpesa", "pesapal"])
def test_reconciliation_finds_what_was_paid_after_it_had_ended(gateway: Gateway, provider: str) -> None:
    """The callback was lost. Breaks when a payment that a clock has ended is never asked about again."""
    payment_id = begin_late(gateway, provider, is_reported=False)
    assert outcome(gateway, payment_id) == Expected("failed", 1)
    with gateway.app.app_context():
        report = reconciliation.reconcile(provider=provider)
        assert report.outcomes[reconciliation.PAID_AFTER_ALL] == 1
        assert reconciliation.PAID_AFTER_ALL not in reconciliation.reconcile(provider=provider).outcomes
    assert outcome(gateway, payment_id) == LATE
    gateway.assert_ledger_matches_providers()


def test_money_that_only_the_dashboard_shows_can_be_recorded(gateway: Gateway) -> None:
    """The callback of a failed payment was lost: an operator says that it was paid. Breaks when failed is the end."""
    payment_id = begin_late(gateway, "mpesa", is_reported=False)
    assert outcome(gateway, payment_id) == Expected("failed", 1)
    paid = ("payments", "resolve", payment_id, "--paid", "--receipt", receipt_of(latest(gateway, "mpesa")))
    operator(gateway, *paid)
    assert outcome(gateway, payment_id) == LATE
    assert entries(gateway, payment_id) == ["suspense"]
    gateway.assert_ledger_matches_providers()
    assert "nothing to decide" in refused(gateway, *paid)
    operator(gateway, "payments", "accept-unmatched", payment_id)
    gateway.sandbox.forget_rules()
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


def return_money(gateway: Gateway, payment_id: str) -> None:
    operator(gateway, "payments", "refund-unmatched", payment_id)
    gateway.settle(payment_id, until=(), hours=1)
    (refund,) = gateway.rows("SELECT state, amount FROM refunds WHERE payment_id = :id", id=payment_id)
    assert refund.state == "completed"


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_late_money_can_be_accepted(gateway: Gateway, provider: str) -> None:
    payment_id = begin_late(gateway, provider)
    assert outcome(gateway, payment_id) == LATE
    assert entries(gateway, payment_id) == ["suspense"]
    gateway.assert_ledger_matches_providers()
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert outcome(gateway, payment_id) == PAID
    assert entries(gateway, payment_id) == ["suspense", "suspense_release"]
    assert events(gateway, payment_id).count("payment.completed") == 1
    assert "waits for a decision" in refused(gateway, "payments", "accept-unmatched", payment_id)
    assert "waits for a decision" in refused(gateway, "payments", "refund-unmatched", payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_late_money_can_be_returned(gateway: Gateway, provider: str) -> None:
    payment_id = begin_late(gateway, provider)
    return_money(gateway, payment_id)
    assert outcome(gateway, payment_id) == Expected("failed", 1)
    assert [entry["kind"] for entry in gateway.sandbox.book(provider)["entries"][-2:]] == ["charge", "refund"]
    assert "waits for a decision" in refused(gateway, "payments", "accept-unmatched", payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", OTHER_AMOUNT[:2])
def test_mismatched_amount_can_be_accepted(gateway: Gateway, provider: str) -> None:
    suspense = f"suspense:{gateway.tenant_id}:{CURRENCIES[provider]}"
    before = gateway.balance(suspense)
    gateway.sandbox.control({"rules": rules("wrong amount", provider)})
    payment_id = gateway.begin(provider, AMOUNT)
    gateway.settle(payment_id, hours=1)
    assert gateway.balance(suspense) == before + 101_00
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert outcome(gateway, payment_id) == PAID
    assert gateway.balance(suspense) == before
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", OTHER_AMOUNT[:2])
def test_mismatched_amount_can_be_returned(gateway: Gateway, provider: str) -> None:
    gateway.sandbox.control({"rules": rules("wrong amount", provider)})
    payment_id = gateway.begin(provider, AMOUNT)
    gateway.settle(payment_id, hours=1)
    gateway.sandbox.control({"rules": []})
    return_money(gateway, payment_id)
    assert outcome(gateway, payment_id) == Expected("failed", 1)
    gateway.assert_ledger_matches_providers()


def begin_in_euros(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """A payment of 100 USD for which the provider has collected 90 EUR."""
    with gateway.app.app_context():
        provider = provider_accounts.for_tenant(gateway.tenant_id, "cpay").provider
    real = provider._charge
    with monkeypatch.context() as patched:
        patched.setattr(
            provider, "_charge", lambda request: replace(real(request), amount=Money(90_00, "EUR"))
        )
        payment_id = gateway.begin("cpay", AMOUNT)
    assert outcome(gateway, payment_id).review == "amount_mismatch"
    return payment_id


def test_money_in_another_currency_keeps_its_currency(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the collected amount is kept or shown in the payment's currency, or when the accepted
    amount replaces the requested one without a trace."""
    payment_id = begin_in_euros(gateway, monkeypatch)
    assert gateway.balance(f"suspense:{gateway.tenant_id}:EUR") == 90_00
    in_review = operator(gateway, "payments", "in-review").splitlines()
    listed = f"{payment_id}  amount_mismatch  cpay  processing  requested 100.00 USD  collected 90.00 EUR"
    assert listed in in_review
    waiting = operator(gateway, "payments", "show", payment_id)
    for name, value in (("requested", "100.00 USD"), ("collected", "90.00 EUR")):
        assert re.search(rf"^  {name} +{value}$", waiting, re.MULTILINE), waiting
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert gateway.balance(f"suspense:{gateway.tenant_id}:EUR") == 0
    found = gateway.payment(payment_id)
    assert (found["status"], found["amount"], found["currency"]) == ("completed", "90.00", "EUR")
    assert (found["requested_amount"], found["requested_currency"]) == ("100.00", "USD")
    shown = operator(gateway, "payments", "show", payment_id)
    for name, value in (("amount", "90.00 EUR"), ("requested", "100.00 USD"), ("collected", "90.00 EUR")):
        assert re.search(rf"^  {name} +{value}$", shown, re.MULTILINE), shown
    gateway.assert_ledger_matches_providers()


def test_money_in_another_currency_can_be_returned(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the charge is described in the payment's currency: CPay refuses a refund in another one."""
    payment_id = begin_in_euros(gateway, monkeypatch)
    return_money(gateway, payment_id)
    assert outcome(gateway, payment_id).status == "failed"
    assert gateway.balance(f"suspense:{gateway.tenant_id}:EUR") == 0
    gateway.assert_ledger_matches_providers()


def test_external_refund_is_in_the_collected_currency(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = begin_in_euros(gateway, monkeypatch)
    assert "90.00 EUR" in refused(gateway, "payments", "record-refund", payment_id, 100, "--reference", "X")
    operator(gateway, "payments", "record-refund", payment_id, 90, "--reference", f"in-euros-{payment_id}")
    assert gateway.balance(f"suspense:{gateway.tenant_id}:EUR") == 0
    assert gateway.payment(payment_id)["status"] == "failed"
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_repeated_late_callback_is_ignored(gateway: Gateway, provider: str) -> None:
    payment_id = begin_late(gateway, provider)
    for _ in range(2):
        assert latest(gateway, provider).send().status_code == 200
        gateway.run_due()
    assert outcome(gateway, payment_id) == LATE
    assert entries(gateway, payment_id) == ["suspense"]
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert latest(gateway, provider).send().status_code == 200
    gateway.run_due()
    assert outcome(gateway, payment_id) == PAID
    assert entries(gateway, payment_id) == ["suspense", "suspense_release"]
    gateway.assert_ledger_matches_providers()


def test_accepted_money_can_be_refunded(gateway: Gateway) -> None:
    """From then on it is a payment like any other."""
    payment_id = begin_late(gateway, "stripe")
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.settle(payment_id, until=("refunded",), hours=1)["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


def test_simultaneous_operators_decide_once(gateway: Gateway) -> None:
    payment_id = begin_late(gateway, "chapa")

    def decide(number: int) -> str:
        act = decisions.accept_unmatched if number % 2 else decisions.refund_unmatched
        with gateway.app.app_context():
            try:
                act(
                    gateway.rows("SELECT id FROM payments WHERE id = :id", id=payment_id)[0].id,
                    operator=OPERATOR,
                )
            except InvalidRequest:
                return "refused"
        return "decided"

    assert concurrently(10, decide).count("decided") == 1
    gateway.settle(payment_id, until=(), hours=1)
    assert sorted(entries(gateway, payment_id))[0] == "suspense"
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", ["stripe", "chapa", "pesapal"])
def test_cancel_after_the_customer_paid_is_refused(gateway: Gateway, provider: str) -> None:
    """Paid, but the callback is lost: the merchant, who knows nothing of it, takes the payment back."""
    gateway.sandbox.control({"rules": rules("callback lost", provider)})
    payment_id = gateway.begin(provider, AMOUNT)
    gateway.quiet()
    assert gateway.payment(payment_id)["status"] == "processing"
    assert gateway.post(f"/payments/{payment_id}/cancel").status_code == 400
    assert outcome(gateway, payment_id) == PAID
    assert "payment.cancelled" not in events(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize(
    ("provider", "operation"), [("stripe", "expire"), ("chapa", "cancel"), ("pesapal", "cancel")]
)
def test_cancel_with_a_lost_answer(gateway: Gateway, provider: str, operation: str) -> None:
    """Cancelled at the provider with a lost answer: not cancelled on a guess, and nothing is charged."""
    rule = {"fault": "after", "provider": provider, "operation": operation, "times": 1}
    gateway.sandbox.control({"rules": [rule], "autopay_s": 30})
    payment_id = gateway.begin(provider, AMOUNT)
    assert gateway.post(f"/payments/{payment_id}/cancel").status_code == 502
    assert gateway.payment(payment_id)["status"] == "processing"
    found = gateway.settle(payment_id, hours=30)
    assert found["status"] in ("cancelled", "failed")
    assert gateway.charged(payment_id) == []
    gateway.assert_ledger_matches_providers()
