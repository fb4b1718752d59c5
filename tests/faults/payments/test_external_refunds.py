"""External refunds made in the provider's dashboard, returned refunds, lost disputes: the gateway's ledger
follow the provider's own, and no refund is posted twice or missed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
import requests

from app import clock, ledger
from app.errors import InvalidRequest
from app.money import Money
from app.services.refunds import external as external_refunds
from app.unit_of_work import reading, transaction
from tests.faults.payments.deliveries import SECRETS, signed
from tests.faults.payments.expectations import rules
from tests.faults.payments.facts import operator, refused
from tests.support.concurrency import concurrently
from tests.support.gateway import OPERATOR, Gateway

LISTING: Final = ("stripe", "paystack")
STRIPE_KEY: Final = {"Authorization": "Bearer sk_test_sandbox"}
PAYSTACK_KEY: Final = {"Authorization": "Bearer sk_test_sandbox_paystack"}
AMOUNT: Final = 100


def paid(gateway: Gateway, provider: str, amount: int = AMOUNT) -> str:
    payment_id = gateway.begin(provider, amount)
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id


def refund_in_portal(gateway: Gateway, payment_id: str, amount: int) -> str:
    """What a merchant does in the provider's dashboard: nothing of it names a reference of ours."""
    attempt = gateway.attempts(payment_id)[-1]
    if attempt.provider == "stripe":
        form = {"payment_intent": attempt.receipt, "amount": str(amount * 100)}
        url = f"{gateway.sandbox.url}/stripe/v1/refunds"
        answer = requests.post(url, data=form, headers=STRIPE_KEY, timeout=20)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])
    body = {"transaction": attempt.reference, "amount": amount * 100}
    answer = requests.post(
        f"{gateway.sandbox.url}/paystack/refund", json=body, headers=PAYSTACK_KEY, timeout=20
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["id"])


def tell_bank(gateway: Gateway, refund_id: str, answer: str) -> None:
    url = f"{gateway.sandbox.url}/stripe/bank/{refund_id}"
    requests.post(url, data={"answer": answer}, timeout=20).raise_for_status()


def refunds(gateway: Gateway, payment_id: str) -> list[tuple[str, str, int]]:
    found = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id ORDER BY id", id=payment_id)
    return [(row.origin, row.state, row.amount) for row in found]


def state(gateway: Gateway, payment_id: str) -> tuple[str, str, str | None]:
    found = gateway.payment(payment_id)
    return found["status"], found["refunded_amount"], found["review"]


def after_the_callback(gateway: Gateway, payment_id: str) -> tuple[str, str, str | None]:
    gateway.settle(payment_id, until=(), hours=0.1)
    return state(gateway, payment_id)


@pytest.mark.parametrize("provider", LISTING)
@pytest.mark.parametrize(("part", "status"), [(40, "partially_refunded"), (AMOUNT, "refunded")])
def test_external_refund_is_imported(gateway: Gateway, provider: str, part: int, status: str) -> None:
    payment_id = paid(gateway, provider)
    portals_id = refund_in_portal(gateway, payment_id, part)
    assert after_the_callback(gateway, payment_id) == (status, f"{part}.00", None)
    assert refunds(gateway, payment_id) == [("provider", "completed", part * 100)]
    shown = gateway.get(f"/payments/{payment_id}/refunds").json()["data"]
    assert [(one["origin"], one["provider_refund_id"]) for one in shown] == [("provider", portals_id)]
    gateway.assert_ledger_matches_providers()


def test_pending_external_refund_is_imported_when_final(gateway: Gateway) -> None:
    """Only the first callback names the charge by our reference; the final one names the refund alone."""
    payment_id = paid(gateway, "stripe", 8_000)
    portals_id = refund_in_portal(gateway, payment_id, 7_203)
    assert after_the_callback(gateway, payment_id) == ("completed", "0.00", None)
    tell_bank(gateway, portals_id, "accept")
    assert after_the_callback(gateway, payment_id) == ("partially_refunded", "7203.00", None)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", LISTING)
def test_own_and_external_refunds_add_up(gateway: Gateway, provider: str) -> None:
    """Breaks when our refund hides the next external one, or is taken for an external one."""
    payment_id = paid(gateway, provider)
    assert gateway.refund(payment_id, 30).status_code == 200
    assert after_the_callback(gateway, payment_id) == ("partially_refunded", "30.00", None)
    refund_in_portal(gateway, payment_id, 20)
    assert after_the_callback(gateway, payment_id) == ("partially_refunded", "50.00", None)
    assert gateway.refund(payment_id, 51).status_code == 400, "only 50 are left"
    assert gateway.refund(payment_id).status_code == 200
    assert after_the_callback(gateway, payment_id) == ("refunded", "100.00", None)
    assert sorted(refunds(gateway, payment_id)) == [
        ("gateway", "completed", 3_000),
        ("gateway", "completed", 5_000),
        ("provider", "completed", 2_000),
    ]
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", LISTING)
def test_repeated_callback_imports_once(gateway: Gateway, provider: str) -> None:
    payment_id = paid(gateway, provider)
    gateway.sandbox.control({"rules": [{"fault": "callback_copies", "copies": 3, "provider": provider}]})
    refund_in_portal(gateway, payment_id, 40)
    assert after_the_callback(gateway, payment_id) == ("partially_refunded", "40.00", None)
    assert len(refunds(gateway, payment_id)) == 1
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", LISTING)
def test_two_external_refunds_while_ours_is_unknown(gateway: Gateway, provider: str) -> None:
    """Our refund's answer is lost: until its outcome is known, the listed refunds cannot be assigned. In the end
    all are posted."""
    payment_id = paid(gateway, provider)
    operation = {"provider": provider, "operation": "refund", "times": 1}
    gateway.sandbox.control({"rules": [{"fault": "drop", **operation}]})
    assert gateway.refund(payment_id, 10).status_code == 200
    refund_in_portal(gateway, payment_id, 20)
    assert after_the_callback(gateway, payment_id)[0] == "partially_refunded"
    refund_in_portal(gateway, payment_id, 30)
    assert after_the_callback(gateway, payment_id) == ("partially_refunded", "60.00", None)
    gateway.assert_ledger_matches_providers()


def test_list_that_lags_behind_the_callback_is_read_again(gateway: Gateway) -> None:
    payment_id = paid(gateway, "paystack")
    (attempt,) = gateway.attempts(payment_id)
    lost = {"fault": "callback_lost", "provider": "paystack", "operation": "callback"}
    gateway.sandbox.control({"rules": [lost]})
    data = {
        "status": "processed",
        "transaction_reference": attempt.reference,
        "refund_reference": "RFD_1",
        "amount": "4000",
        "currency": "NGN",
    }
    event = {"event": "refund.processed", "data": data}
    assert signed(gateway, "paystack", event, secret=SECRETS["paystack"]).send().status_code == 200
    gateway.run_due()
    assert state(gateway, payment_id) == ("completed", "0.00", None)
    refund_in_portal(gateway, payment_id, 40)
    gateway.advance(2)
    assert after_the_callback(gateway, payment_id) == ("partially_refunded", "40.00", None)
    gateway.assert_ledger_matches_providers()


@contextmanager
def promised(gateway: Gateway, wallet: str, *, but: int) -> Iterator[None]:
    """Money of the merchant's that is held for something else: all there is, but so much."""
    ref = uuid.uuid4()
    found = "SELECT id, balance - held - :but AS amount FROM account_balances WHERE public_id = :wallet"
    (account,) = gateway.rows(found, wallet=wallet, but=but)
    with gateway.app.app_context():
        transaction(
            lambda s: ledger.hold(s, ref, account_id=account.id, amount=account.amount, now=clock.now())
        )
        yield
        transaction(lambda s: ledger.release(s, ref, now=clock.now()))


def test_external_refund_above_the_balance_becomes_debt(gateway: Gateway) -> None:
    """The money is gone whether the balance suffices or not: the rest is what the merchant owes."""
    payment_id, wallet = paid(gateway, "paystack"), f"tenant:{gateway.tenant_id}:NGN"
    debt = f"receivable:{gateway.tenant_id}:NGN"
    before = gateway.balance(debt)
    with promised(gateway, wallet, but=4_000):
        refund_in_portal(gateway, payment_id, AMOUNT)
        assert after_the_callback(gateway, payment_id)[0] == "refunded"
    assert gateway.balance(debt) == before - 6_000
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", LISTING)
def test_external_refund_of_a_mismatched_amount_ends_the_payment(gateway: Gateway, provider: str) -> None:
    gateway.sandbox.control({"rules": rules("wrong amount", provider)})
    payment_id = gateway.begin(provider, AMOUNT)
    gateway.settle(payment_id, until=(), hours=0.1)
    assert state(gateway, payment_id)[2] == "amount_mismatch"
    gateway.sandbox.control({"rules": []})
    (collected,) = [attempt.collected for attempt in gateway.attempts(payment_id)]
    refund_in_portal(gateway, payment_id, collected // 100)
    assert after_the_callback(gateway, payment_id) == ("failed", "0.00", None)
    gateway.assert_ledger_matches_providers()


def test_returned_refund_is_credited_to_the_merchant(gateway: Gateway) -> None:
    """Stripe says `succeeded`, and later that the customer's bank returned it. Breaks when completed is for ever."""
    payment_id = paid(gateway, "stripe", 8_000)
    wallet = f"tenant:{gateway.tenant_id}:USD"
    before = gateway.balance(wallet)
    assert gateway.refund(payment_id, 7_204).status_code == 200
    gateway.advance(2)
    assert after_the_callback(gateway, payment_id) == ("completed", "0.00", None)
    assert refunds(gateway, payment_id) == [("gateway", "failed", 720_400)]
    assert gateway.balance(wallet) == before
    gateway.assert_ledger_matches_providers()
    assert gateway.refund(payment_id).status_code == 200, "it can be tried again"
    assert after_the_callback(gateway, payment_id) == ("refunded", "8000.00", None)
    gateway.assert_ledger_matches_providers()


def test_external_refund_that_is_returned(gateway: Gateway) -> None:
    payment_id = paid(gateway, "stripe")
    portals_id = refund_in_portal(gateway, payment_id, 40)
    assert after_the_callback(gateway, payment_id)[0] == "partially_refunded"
    tell_bank(gateway, portals_id, "return")
    assert after_the_callback(gateway, payment_id) == ("completed", "0.00", None)
    gateway.assert_ledger_matches_providers()


def lost_refund(gateway: Gateway) -> tuple[str, str]:
    """A payment, and its refund of 40 with a lost answer, no list, and a callback after ten minutes."""
    payment_id = paid(gateway, "paystack")
    rule = {"fault": "drop", "provider": "paystack", "operation": "refund", "times": 1}
    mute = {"fault": "before", "provider": "paystack", "operation": "refund_list"}
    quiet = {"fault": "callback_delay", "seconds": 600, "provider": "paystack"}
    gateway.sandbox.control({"rules": [rule, mute, quiet]})
    gateway.refund(payment_id, 40)
    (refund,) = gateway.rows("SELECT id FROM refunds WHERE payment_id = :id", id=payment_id)
    return payment_id, str(refund.id)


def test_refund_declared_failed_that_was_made(gateway: Gateway) -> None:
    """An operator was wrong; the provider's list is right. Breaks when what carries our reference is never read."""
    payment_id, refund_id = lost_refund(gateway)
    operator(gateway, "payments", "resolve-refund", refund_id, "--failed")
    assert state(gateway, payment_id)[:2] == ("completed", "0.00")
    gateway.sandbox.control({"rules": []})
    gateway.advance(600)
    assert after_the_callback(gateway, payment_id)[:2] == ("partially_refunded", "40.00")
    assert refunds(gateway, payment_id) == [("gateway", "failed", 4_000), ("provider", "completed", 4_000)]
    gateway.assert_ledger_matches_providers()


def test_refund_declared_returned_is_recognized_in_the_list(gateway: Gateway) -> None:
    """Its row has no id of the provider's. Breaks when only ids are compared: it would be posted a second time."""
    payment_id, refund_id = lost_refund(gateway)
    operator(gateway, "payments", "resolve-refund", refund_id, "--completed")
    assert state(gateway, payment_id)[:2] == ("partially_refunded", "40.00")
    gateway.sandbox.control({"rules": []})
    gateway.advance(600)
    assert after_the_callback(gateway, payment_id)[:2] == ("partially_refunded", "40.00")
    assert refunds(gateway, payment_id) == [("gateway", "completed", 4_000)]
    gateway.assert_ledger_matches_providers()


def refund_in_chapas_portal(gateway: Gateway, payment_id: str, amount: int) -> str:
    attempt = gateway.attempts(payment_id)[0]
    answer = requests.post(
        f"{gateway.sandbox.url}/chapa/v1/refund/{attempt.receipt}",
        json={"amount": str(amount), "reason": "dashboard"},
        headers={"Authorization": "Bearer CHASECK_TEST-sandbox"},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    gateway.advance(2)
    return str(answer.json()["data"]["ref"])


def test_operator_records_an_external_refund_without_a_list(gateway: Gateway) -> None:
    """Chapa lists no refunds: its callback puts the payment in review, and an operator records the refund with the
    dashboard's id."""
    payment_id = paid(gateway, "chapa")
    portals_id = refund_in_chapas_portal(gateway, payment_id, 40)
    assert after_the_callback(gateway, payment_id) == ("completed", "0.00", "refunded_at_provider")
    too_much = refused(gateway, "payments", "record-refund", payment_id, "100.01", "--reference", portals_id)
    assert "At most 100.00 ETB" in too_much
    refused(gateway, "payments", "record-refund", payment_id, "forty", "--reference", portals_id)
    refused(gateway, "payments", "record-refund", uuid.uuid4(), "40", "--reference", portals_id)
    assert refunds(gateway, payment_id) == []
    operator(gateway, "payments", "record-refund", payment_id, "40", "--reference", portals_id)
    assert state(gateway, payment_id) == ("partially_refunded", "40.00", None)
    gateway.assert_ledger_matches_providers()


def test_no_import_while_our_refund_is_open(gateway: Gateway) -> None:
    """Breaks when an operator finds our own refund, whose answer was lost, in the dashboard and records it a second time."""
    payment_id = paid(gateway, "chapa")
    rule = {"provider": "chapa", "operation": "refund", "times": 1}
    mute = {"fault": "before", "provider": "chapa", "operation": "refund_verify"}
    lost = {"fault": "callback_lost", "provider": "chapa", "operation": "callback"}
    gateway.sandbox.control({"rules": [{"fault": "drop", **rule}, mute, lost]})
    assert gateway.refund(payment_id, 40).status_code == 200
    command = ("payments", "record-refund", payment_id, "40", "--reference", "MERC-DIS-1")
    assert "under way" in refused(gateway, *command)
    gateway.sandbox.control({"rules": []})
    gateway.settle(payment_id, until=("partially_refunded",), hours=26)
    assert refunds(gateway, payment_id) == [("gateway", "completed", 4_000)]
    gateway.assert_ledger_matches_providers()


def test_simultaneous_operators_record_one_refund_once(gateway: Gateway) -> None:
    payment_id = paid(gateway, "chapa")
    portals_id = refund_in_chapas_portal(gateway, payment_id, 20)

    def book(_: int) -> bool:
        with gateway.app.app_context():
            try:
                external_refunds.record_external_refund(
                    uuid.UUID(payment_id), Money(2_000, "ETB"), reference=portals_id, operator=OPERATOR
                )
            except InvalidRequest:
                return False
        return True

    assert sorted(concurrently(4, book)) == [False, False, False, True]
    assert after_the_callback(gateway, payment_id)[:2] == ("partially_refunded", "20.00")
    gateway.assert_ledger_matches_providers()


def test_second_external_refund_at_chapa_needs_review(gateway: Gateway) -> None:
    """Breaks when one refund of ours explains every callback about refunds."""
    payment_id = paid(gateway, "chapa")
    assert gateway.refund(payment_id, 30).status_code == 200
    gateway.advance(2)
    assert after_the_callback(gateway, payment_id) == ("partially_refunded", "30.00", None)
    portals_id = refund_in_chapas_portal(gateway, payment_id, 20)
    assert after_the_callback(gateway, payment_id)[2] == "refunded_at_provider"
    operator(gateway, "payments", "record-refund", payment_id, "20", "--reference", portals_id)
    gateway.assert_ledger_matches_providers()


def test_remaining_amount_can_be_charged_back(gateway: Gateway) -> None:
    payment_id = paid(gateway, "stripe")
    assert gateway.refund(payment_id, 30).status_code == 200
    operator(gateway, "payments", "record-reversal", payment_id)
    assert state(gateway, payment_id) == ("reversed", "30.00", None)
    # Only the operator says so: the simulator's own book does not know it.
    with gateway.app.app_context(), reading() as session:
        assert [str(finding) for finding in ledger.check(session)] == []
