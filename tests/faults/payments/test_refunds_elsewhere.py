"""Refunds that somebody makes in the provider's portal, refunds that come back, disputes that are lost: the gateway's books
follow the provider's own, and no refund is booked twice or missed."""

from __future__ import annotations

import json
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
from app.unit_of_work import transaction
from tests.faults.payments.deliveries import SECRETS, signed
from tests.faults.payments.expectations import rules
from tests.faults.payments.truth import operator, refused
from tests.support.together import together
from tests.support.world import World

LISTING: Final = ("stripe", "paystack")
STRIPE_KEY: Final = {"Authorization": "Bearer sk_test_sandbox"}
PAYSTACK_KEY: Final = {"Authorization": "Bearer sk_test_sandbox_paystack"}
AMOUNT: Final = 100


def paid(world: World, provider: str, amount: int = AMOUNT) -> str:
    payment_id = world.begin(provider, amount)
    assert world.settle(payment_id)["status"] == "completed"
    return payment_id


def refund_in_portal(world: World, payment_id: str, amount: int) -> str:
    """What a merchant does in the provider's dashboard: nothing of it names a reference of ours."""
    attempt = world.attempts(payment_id)[-1]
    if attempt.provider == "stripe":
        form = {"payment_intent": attempt.receipt, "amount": str(amount * 100)}
        url = f"{world.sandbox.url}/stripe/v1/refunds"
        answer = requests.post(url, data=form, headers=STRIPE_KEY, timeout=20)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])
    body = {"transaction": attempt.reference, "amount": amount * 100}
    answer = requests.post(
        f"{world.sandbox.url}/paystack/refund", json=body, headers=PAYSTACK_KEY, timeout=20
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["id"])


def tell_bank(world: World, refund_id: str, answer: str) -> None:
    url = f"{world.sandbox.url}/stripe/bank/{refund_id}"
    requests.post(url, data={"answer": answer}, timeout=20).raise_for_status()


def refunds(world: World, payment_id: str) -> list[tuple[str, str, int]]:
    found = world.rows("SELECT * FROM refunds WHERE payment_id = :id ORDER BY id", id=payment_id)
    return [(row.origin, row.state, row.amount) for row in found]


def state(world: World, payment_id: str) -> tuple[str, str, str | None]:
    found = world.payment(payment_id)
    return found["status"], found["refunded_amount"], found["review"]


def after_the_news(world: World, payment_id: str) -> tuple[str, str, str | None]:
    world.settle(payment_id, until=(), hours=0.1)
    return state(world, payment_id)


@pytest.mark.parametrize("provider", LISTING)
@pytest.mark.parametrize(("part", "status"), [(40, "partially_refunded"), (AMOUNT, "refunded")])
def test_a_refund_made_in_the_portal_is_booked(world: World, provider: str, part: int, status: str) -> None:
    payment_id = paid(world, provider)
    portals_id = refund_in_portal(world, payment_id, part)
    assert after_the_news(world, payment_id) == (status, f"{part}.00", None)
    assert refunds(world, payment_id) == [("provider", "completed", part * 100)]
    shown = world.get(f"/payments/{payment_id}/refunds").json()["data"]
    assert [(one["origin"], one["provider_refund_id"]) for one in shown] == [("provider", portals_id)]
    world.assert_books_agree()


def test_a_portal_refund_the_bank_takes_time_for(world: World) -> None:
    """Only the first news names the charge by our reference; that it is done is told of the refund alone."""
    payment_id = paid(world, "stripe", 8_000)
    portals_id = refund_in_portal(world, payment_id, 7_203)
    assert after_the_news(world, payment_id) == ("completed", "0.00", None)
    tell_bank(world, portals_id, "accept")
    assert after_the_news(world, payment_id) == ("partially_refunded", "7203.00", None)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", LISTING)
def test_refunds_of_ours_and_others_add_up(world: World, provider: str) -> None:
    """Breaks when a refund of ours hides the next one of somebody else, or is taken for one."""
    payment_id = paid(world, provider)
    assert world.refund(payment_id, 30).status_code == 200
    assert after_the_news(world, payment_id) == ("partially_refunded", "30.00", None)
    refund_in_portal(world, payment_id, 20)
    assert after_the_news(world, payment_id) == ("partially_refunded", "50.00", None)
    assert world.refund(payment_id, 51).status_code == 400, "only 50 are left"
    assert world.refund(payment_id).status_code == 200
    assert after_the_news(world, payment_id) == ("refunded", "100.00", None)
    assert sorted(refunds(world, payment_id)) == [
        ("gateway", "completed", 3_000), ("gateway", "completed", 5_000), ("provider", "completed", 2_000),
    ]  # fmt: skip
    world.assert_books_agree()


@pytest.mark.parametrize("provider", LISTING)
def test_news_that_comes_three_times_books_once(world: World, provider: str) -> None:
    payment_id = paid(world, provider)
    world.sandbox.control({"rules": [{"fault": "callback_copies", "copies": 3, "provider": provider}]})
    refund_in_portal(world, payment_id, 40)
    assert after_the_news(world, payment_id) == ("partially_refunded", "40.00", None)
    assert len(refunds(world, payment_id)) == 1
    world.assert_books_agree()


@pytest.mark.parametrize("provider", LISTING)
def test_two_in_the_portal_while_ours_is_lost(world: World, provider: str) -> None:
    """Our refund's answer is lost: until it is known, nobody can tell whose the listed ones are. In the end all are booked."""
    payment_id = paid(world, provider)
    operation = {"provider": provider, "operation": "refund", "times": 1}
    world.sandbox.control({"rules": [{"fault": "drop", **operation}]})
    assert world.refund(payment_id, 10).status_code == 200
    refund_in_portal(world, payment_id, 20)
    assert after_the_news(world, payment_id)[0] == "partially_refunded"
    refund_in_portal(world, payment_id, 30)
    assert after_the_news(world, payment_id) == ("partially_refunded", "60.00", None)
    world.assert_books_agree()


def test_a_list_that_lags_behind_its_news_is_read_again(world: World) -> None:
    payment_id = paid(world, "paystack")
    (attempt,) = world.attempts(payment_id)
    lost = {"fault": "callback_lost", "provider": "paystack", "operation": "callback"}
    world.sandbox.control({"rules": [lost]})
    data = {
        "status": "processed", "transaction_reference": attempt.reference, "refund_reference": "RFD_1",
        "amount": "4000", "currency": "NGN",
    }  # fmt: skip
    news = {"event": "refund.processed", "data": data}
    assert signed(world, "paystack", news, secret=SECRETS["paystack"]).send().status_code == 200
    world.run_due()
    assert state(world, payment_id) == ("completed", "0.00", None)
    refund_in_portal(world, payment_id, 40)
    world.advance(2)
    assert after_the_news(world, payment_id) == ("partially_refunded", "40.00", None)
    world.assert_books_agree()


@contextmanager
def promised(world: World, wallet: str, *, but: int) -> Iterator[None]:
    """Money of the merchant's that is held for something else: all there is, but so much."""
    ref = uuid.uuid4()
    found = "SELECT id, balance - held - :but AS amount FROM account_balances WHERE public_id = :wallet"
    (account,) = world.rows(found, wallet=wallet, but=but)
    with world.app.app_context():
        transaction(
            lambda s: ledger.hold(s, ref, account_id=account.id, amount=account.amount, now=clock.now())
        )
        yield
        transaction(lambda s: ledger.release(s, ref, now=clock.now()))


def test_more_than_the_merchant_has_is_owed(world: World) -> None:
    """The money is gone whether the balance suffices or not: the rest is what the merchant owes."""
    payment_id, wallet = paid(world, "paystack"), f"tenant:{world.tenant_id}:NGN"
    debt = f"receivable:{world.tenant_id}:NGN"
    before = world.balance(debt)
    with promised(world, wallet, but=4_000):
        refund_in_portal(world, payment_id, AMOUNT)
        assert after_the_news(world, payment_id)[0] == "refunded"
    assert world.balance(debt) == before - 6_000
    world.assert_books_agree()


@pytest.mark.parametrize("provider", LISTING)
def test_another_amount_that_goes_back_in_the_portal_ends_the_payment(world: World, provider: str) -> None:
    world.sandbox.control({"rules": rules("wrong amount", provider)})
    payment_id = world.begin(provider, AMOUNT)
    world.settle(payment_id, until=(), hours=0.1)
    assert state(world, payment_id)[2] == "amount_mismatch"
    world.sandbox.control({"rules": []})
    (collected,) = [attempt.collected for attempt in world.attempts(payment_id)]
    refund_in_portal(world, payment_id, collected // 100)
    assert after_the_news(world, payment_id) == ("failed", "0.00", None)
    world.assert_books_agree()


def test_a_refund_that_comes_back_is_the_merchants_again(world: World) -> None:
    """Stripe says `succeeded`, and later that the customer's bank returned it. Breaks when completed is for ever."""
    payment_id = paid(world, "stripe", 8_000)
    wallet = f"tenant:{world.tenant_id}:USD"
    before = world.balance(wallet)
    assert world.refund(payment_id, 7_204).status_code == 200
    world.advance(2)
    assert after_the_news(world, payment_id) == ("completed", "0.00", None)
    assert refunds(world, payment_id) == [("gateway", "failed", 720_400)]
    assert world.balance(wallet) == before
    world.assert_books_agree()
    assert world.refund(payment_id).status_code == 200, "it can be tried again"
    assert after_the_news(world, payment_id) == ("refunded", "8000.00", None)
    world.assert_books_agree()


def test_a_portal_refund_that_comes_back(world: World) -> None:
    payment_id = paid(world, "stripe")
    portals_id = refund_in_portal(world, payment_id, 40)
    assert after_the_news(world, payment_id)[0] == "partially_refunded"
    tell_bank(world, portals_id, "return")
    assert after_the_news(world, payment_id) == ("completed", "0.00", None)
    world.assert_books_agree()


def lost_refund(world: World) -> tuple[str, str]:
    """A payment, and its refund of 40 that nobody hears of: no answer, no list, and news after ten minutes."""
    payment_id = paid(world, "paystack")
    rule = {"fault": "drop", "provider": "paystack", "operation": "refund", "times": 1}
    mute = {"fault": "before", "provider": "paystack", "operation": "refund_list"}
    quiet = {"fault": "callback_delay", "seconds": 600, "provider": "paystack"}
    world.sandbox.control({"rules": [rule, mute, quiet]})
    world.refund(payment_id, 40)
    (refund,) = world.rows("SELECT id FROM refunds WHERE payment_id = :id", id=payment_id)
    return payment_id, str(refund.id)


def test_a_refund_declared_failed_that_was_made_all_the_same(world: World) -> None:
    """An operator was wrong; the provider's list is right. Breaks when what carries our reference is never looked at."""
    payment_id, refund_id = lost_refund(world)
    operator(world, "payments", "declare-refund", refund_id, "failed")
    assert state(world, payment_id)[:2] == ("completed", "0.00")
    world.sandbox.control({"rules": []})
    world.advance(600)
    assert after_the_news(world, payment_id)[:2] == ("partially_refunded", "40.00")
    assert refunds(world, payment_id) == [("gateway", "failed", 4_000), ("provider", "completed", 4_000)]
    world.assert_books_agree()


def test_a_refund_declared_returned_is_found_in_the_list_as_ours(world: World) -> None:
    """Its row has no id of the provider's. Breaks when only ids are compared: it would be booked a second time."""
    payment_id, refund_id = lost_refund(world)
    operator(world, "payments", "declare-refund", refund_id, "returned")
    assert state(world, payment_id)[:2] == ("partially_refunded", "40.00")
    world.sandbox.control({"rules": []})
    world.advance(600)
    assert after_the_news(world, payment_id)[:2] == ("partially_refunded", "40.00")
    assert refunds(world, payment_id) == [("gateway", "completed", 4_000)]
    world.assert_books_agree()


def refund_in_chapas_portal(world: World, payment_id: str, amount: int) -> str:
    attempt = world.attempts(payment_id)[0]
    answer = requests.post(
        f"{world.sandbox.url}/chapa/v1/refund/{attempt.receipt}", json={"amount": str(amount), "reason": "portal"},
        headers={"Authorization": "Bearer CHASECK_TEST-sandbox"}, timeout=20,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    world.advance(2)
    return str(answer.json()["data"]["ref"])


def test_an_operator_books_what_no_list_tells(world: World) -> None:
    """Chapa lists no refunds: its news puts the payment before a person, who books it with the portal's id."""
    payment_id = paid(world, "chapa")
    portals_id = refund_in_chapas_portal(world, payment_id, 40)
    assert after_the_news(world, payment_id) == ("completed", "0.00", "refunded_at_provider")
    too_much = refused(world, "payments", "record-refund", payment_id, "100.01", "--reference", portals_id)
    assert "At most 100.00 ETB" in too_much
    refused(world, "payments", "record-refund", payment_id, "forty", "--reference", portals_id)
    refused(world, "payments", "record-refund", uuid.uuid4(), "40", "--reference", portals_id)
    assert refunds(world, payment_id) == []
    operator(world, "payments", "record-refund", payment_id, "40", "--reference", portals_id)
    assert state(world, payment_id) == ("partially_refunded", "40.00", None)
    world.assert_books_agree()


def test_nothing_is_booked_while_a_refund_of_ours_is_open(world: World) -> None:
    """Breaks when an operator finds our own refund, whose answer was lost, in the portal and books it beside us."""
    payment_id = paid(world, "chapa")
    rule = {"provider": "chapa", "operation": "refund", "times": 1}
    mute = {"fault": "before", "provider": "chapa", "operation": "refund_verify"}
    lost = {"fault": "callback_lost", "provider": "chapa", "operation": "callback"}
    world.sandbox.control({"rules": [{"fault": "drop", **rule}, mute, lost]})
    assert world.refund(payment_id, 40).status_code == 200
    command = ("payments", "record-refund", payment_id, "40", "--reference", "MERC-DIS-1")
    assert "under way" in refused(world, *command)
    world.sandbox.control({"rules": []})
    world.settle(payment_id, until=("partially_refunded",), hours=26)
    assert refunds(world, payment_id) == [("gateway", "completed", 4_000)]
    world.assert_books_agree()


def test_four_operators_book_one_refund_once(world: World) -> None:
    payment_id = paid(world, "chapa")
    portals_id = refund_in_chapas_portal(world, payment_id, 20)

    def book(_: int) -> bool:
        with world.app.app_context():
            try:
                external_refunds.record_external_refund(
                    uuid.UUID(payment_id), Money(2_000, "ETB"), reference=portals_id, operator="operator"
                )
            except InvalidRequest:
                return False
        return True

    assert sorted(together(4, book)) == [False, False, False, True]
    assert after_the_news(world, payment_id)[:2] == ("partially_refunded", "20.00")
    world.assert_books_agree()


def test_a_second_refund_in_chapas_portal_is_seen(world: World) -> None:
    """Breaks when one refund of ours explains every news of refunds."""
    payment_id = paid(world, "chapa")
    assert world.refund(payment_id, 30).status_code == 200
    world.advance(2)
    assert after_the_news(world, payment_id) == ("partially_refunded", "30.00", None)
    portals_id = refund_in_chapas_portal(world, payment_id, 20)
    assert after_the_news(world, payment_id)[2] == "refunded_at_provider"
    operator(world, "payments", "record-refund", payment_id, "20", "--reference", portals_id)
    world.assert_books_agree()


def test_a_dispute_that_was_lost_is_booked_by_an_operator(world: World) -> None:
    world.sandbox.control({"autopay_s": None})
    payment_id = world.begin("stripe", AMOUNT)
    url = world.payment(payment_id)["payment_url"]
    requests.post(
        url, data={"number": "4000000000000259", "expiry": "12/40", "cvc": "123"}, timeout=20
    ).raise_for_status()
    assert after_the_news(world, payment_id) == ("completed", "0.00", "dispute")
    (dispute,) = {
        news["data"]["object"]["id"]
        for news in (json.loads(callback["body"]) for callback in world.sandbox.callbacks("stripe"))
        if news["type"] == "charge.dispute.created"
    }
    closing = f"{world.sandbox.url}/stripe/v1/disputes/{dispute}/close"
    requests.post(closing, headers=STRIPE_KEY, timeout=20).raise_for_status()
    operator(world, "payments", "record-reversal", payment_id)
    assert state(world, payment_id) == ("reversed", "0.00", None)
    refused(world, "payments", "record-reversal", payment_id)
    assert world.refund(payment_id, 10).status_code == 400
    world.assert_books_agree()


def test_what_is_left_after_refunds_can_be_taken_back(world: World) -> None:
    payment_id = paid(world, "stripe")
    assert world.refund(payment_id, 30).status_code == 200
    operator(world, "payments", "record-reversal", payment_id)
    assert state(world, payment_id) == ("reversed", "30.00", None)
    assert "clean" in operator(world, "ledger", "check")
