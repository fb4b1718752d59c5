"""Messages in a form that no document shows: what they say of money counts, what cannot be read is asked about, and what is
held for a refund is released only by a refusal that is known and names the refund."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from app import clock
from app.services.provider_access import callback_tokens
from tests.faults.payments.deliveries import SECRETS, Delivery, latest, signed
from tests.support.gateway import Gateway
from tests.support.waiting import wait_until

Json = dict[str, Any]

EXPIRING_CARDS: Final = {
    "event": "subscription.expiring_cards",
    "data": [{"expiry_date": "12/2021", "brand": "visa", "subscription": {"id": 1, "amount": 44000}}],
}
"""Paystack's documents: `data` is a list."""


@pytest.fixture
def zeros(gateway: Gateway) -> Iterator[Gateway]:
    """Daraja writes success with eight zeros."""
    gateway.sandbox.control({"options": {"mpesa": {"success_code": "00000000"}}})
    yield gateway
    gateway.sandbox.control({"options": {"mpesa": {"success_code": "0"}}})


def paid(gateway: Gateway, amount: int = 100) -> str:
    payment_id = gateway.begin("mpesa", amount)
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id


def refund(gateway: Gateway, payment_id: str) -> tuple[str, int]:
    """The refund's state, and what the payment's row holds for it."""
    ((state,),) = gateway.rows("SELECT state FROM refunds WHERE payment_id = :id", id=payment_id)
    ((held,),) = gateway.rows("SELECT refund_reserved FROM payments WHERE id = :id", id=payment_id)
    return state, held


def lost_result(gateway: Gateway, payment_id: str) -> Delivery:
    """Ask for a refund; the result of its reversal, which is lost on its way. Queries of it fail."""
    gateway.sandbox.control(
        {
            "rules": [
                {"fault": "callback_lost", "operation": "reversal", "times": 1},
                {"fault": "before", "operation": "status"},
            ]
        }
    )
    assert gateway.refund(payment_id).status_code == 200
    gateway.settle(payment_id, until=(), hours=0.003)
    return latest(gateway, "mpesa")


def send(gateway: Gateway, delivery: Delivery, change: Callable[[Json], None]) -> None:
    body: Json = json.loads(delivery.body)
    change(body)
    answer = Delivery(delivery.url, body=json.dumps(body).encode()).send()
    assert (answer.status_code, answer.json()["ResultCode"]) == (200, 0)
    gateway.settle(payment_of(gateway, delivery), until=(), hours=0.003)


def payment_of(gateway: Gateway, delivery: Delivery) -> str:
    token = delivery.url.rpartition("/")[2].partition("?")[0]
    named = "SELECT payment_id FROM {} WHERE callback_token = :token"
    rows = [
        row
        for table in ("payment_attempts", "refunds")
        for row in gateway.rows(named.format(table), token=callback_tokens.digest(token))
    ]
    return str(rows[0].payment_id)


def test_success_may_be_written_with_several_zeros(zeros: Gateway) -> None:
    """In acknowledgements, callbacks, answers of queries and results."""
    payment_id = paid(zeros)
    assert zeros.refund(payment_id).status_code == 200
    assert zeros.settle(payment_id, until=("refunded",))["status"] == "refunded"
    lost = zeros.begin("mpesa", 7005)  # no callback: the query says so
    assert zeros.settle(lost)["status"] == "completed"
    zeros.assert_ledger_matches_providers()


@pytest.mark.parametrize(
    ("code", "ids"),
    [
        pytest.param(7777, {}, id="a code that no document lists"),
        pytest.param("Z1", {}, id="a text that no document lists"),
        pytest.param(
            2001,
            {"ConversationID": "AG_1", "OriginatorConversationID": "6618-1387084-1"},
            id="another request's ids",
        ),
    ],
)
@pytest.mark.parametrize("has_notice", [True, False], ids=["its URL", "without the query string"])
def test_only_a_known_refusal_of_the_refund_itself_ends_it(
    gateway: Gateway, code: object, ids: Json, has_notice: bool
) -> None:
    """Breaks when the hold is released: the customer has the money already."""
    payment_id = paid(gateway)
    delivery = lost_result(gateway, payment_id)
    url = delivery.url if has_notice else delivery.url.partition("?")[0]
    send(gateway, delivery.to(url), lambda body: body["Result"].update(ResultCode=code, **ids))
    assert refund(gateway, payment_id) == ("pending", 10_000)
    gateway.sandbox.control({"rules": []})
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


def test_a_known_refusal_of_the_refund_ends_it(gateway: Gateway) -> None:
    """The counterpart: where the reversal was refused, the money is free again."""
    payment_id = paid(gateway)
    gateway.sandbox.control({"rules": [{"fault": "declined", "operation": "reversal", "times": 1}]})
    assert gateway.refund(payment_id).status_code == 200
    gateway.settle(payment_id, until=(), hours=0.1)
    assert refund(gateway, payment_id) == ("failed", 0)


@pytest.mark.parametrize("amount", ["1,700.00", 0, 1700.0000000002, {"a": 1}, 1701], ids=str)
def test_an_unreadable_amount_does_not_cost_the_receipt(gateway: Gateway, amount: object) -> None:
    """The query names no receipt; without one the payment could not be refunded."""
    gateway.sandbox.control({"rules": [{"fault": "callback_lost", "operation": "stkpush", "times": 1}]})
    payment_id = gateway.begin("mpesa", 1700)
    gateway.quiet()

    def change(body: Json) -> None:
        for item in body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]:
            if item["Name"] == "Amount":
                item["Value"] = amount

    send(gateway, latest(gateway, "mpesa"), change)
    assert gateway.payment(payment_id)["status"] == "completed"
    assert gateway.attempts(payment_id)[0].receipt
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1700.0", b"1e99999"),
        (b"1700.0", b"9" * 5000),
        (b"1700.0", b"NaN"),
        (b'{"Body"', b'{"more": "%s", "Body"' % (b"x" * 17_000)),
    ],
    ids=["exponent", "digits", "no number", "long"],
)
def test_an_odd_body_does_not_cost_the_receipt(gateway: Gateway, old: bytes, new: bytes) -> None:
    """Breaks when one number makes the whole body unreadable, or the operation's own URL has less room than its callback needs."""
    gateway.sandbox.control({"rules": [{"fault": "callback_lost", "operation": "stkpush", "times": 1}]})
    payment_id = gateway.begin("mpesa", 1700)
    gateway.quiet()
    delivery = latest(gateway, "mpesa")
    assert old in delivery.body
    assert replace(delivery, body=delivery.body.replace(old, new)).send().status_code == 200
    gateway.run_due()
    assert gateway.payment(payment_id)["status"] == "completed"
    assert gateway.attempts(payment_id)[0].receipt


@pytest.mark.parametrize(("amount", "code"), [(7136, "1036"), (7138, "E3008")])
def test_a_push_that_reached_no_phone_fails(gateway: Gateway, amount: int, code: str) -> None:
    """Breaks when one of these codes is in no table: the payment would wait for an operator."""
    payment_id = gateway.begin("mpesa", amount)
    assert gateway.settle(payment_id, hours=0.01)["status"] == "failed"
    assert gateway.attempts(payment_id)[0].error_code == code


def test_an_unknown_code_that_the_callback_confirms_is_final(gateway: Gateway) -> None:
    """ResultCode 7777, which no document lists, in callback and query. Breaks when such a payment waits for an operator."""
    payment_id = gateway.begin("mpesa", 7190)
    assert gateway.settle(payment_id, hours=0.002)["status"] == "failed"
    assert gateway.attempts(payment_id)[0].error_code == "7777"


def test_an_unknown_code_is_final_when_it_comes_twice(gateway: Gateway) -> None:
    """The callback is lost: two queries at least a minute apart decide, never one, and never two that differ."""
    lost = {"fault": "callback_lost", "provider": "mpesa", "operation": "stkpush", "times": 1}
    gateway.sandbox.control({"rules": [lost]})
    payment_id = gateway.begin("mpesa", 7190)
    gateway.quiet()
    began = clock.now()

    def verified(after_s: float, code: str) -> str:
        gateway.sandbox.control({"options": {"mpesa": {"query_code": code}}})
        clock.reset()
        clock.travel(began - clock.now() + timedelta(seconds=after_s))
        gateway.post(f"/payments/{payment_id}/verify")
        return str(gateway.payment(payment_id)["status"])

    assert verified(1, "") == "processing"
    assert verified(50, "") == "processing"
    assert verified(70, "Z9") == "processing", "another code"
    assert verified(80, "4999") == "processing", "still open"
    assert verified(100, "") == "processing"
    assert verified(150, "") == "processing"
    assert verified(165, "") == "failed"
    (attempt,) = gateway.attempts(payment_id)
    assert (attempt.error_code, attempt.error_message) == ("7777", "A result that no document lists.")


def test_an_unknown_code_against_a_callback_that_says_paid(gateway: Gateway) -> None:
    """Breaks when the code ends a payment that was paid."""
    gateway.sandbox.control({"options": {"mpesa": {"query_code": "7777"}}})
    payment_id = gateway.begin("mpesa", 100)
    gateway.settle(payment_id, hours=0.2)
    assert gateway.payment(payment_id)["review"] == "contradicting_answers"
    gateway.sandbox.control({"options": {"mpesa": {"query_code": ""}}})
    assert gateway.post(f"/payments/{payment_id}/verify").json()["data"]["status"] == "completed"


def test_a_code_of_the_query_that_decides_nothing_is_no_fault_of_the_callbacks_job(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """The payment stays open, and an operator hears of it; the callback's job neither fails nor ends as a dead letter."""
    capsys.readouterr()
    gateway.sandbox.control({"options": {"mpesa": {"query_code": "26"}}})  # it may be about the question
    payment_id = gateway.begin("mpesa", 7190)
    gateway.settle(payment_id, until=(), hours=0.5)
    assert gateway.payment(payment_id)["status"] == "processing"
    assert gateway.payment(payment_id)["review"] == "inquiry_failed"
    checkout = gateway.attempts(payment_id)[0].provider_reference
    ((state, result),) = gateway.rows(
        "SELECT state, result FROM provider_events WHERE provider_reference = :checkout", checkout=checkout
    )
    assert (state, result) == ("processed", "not confirmed yet")
    gateway.sandbox.control({"options": {"mpesa": {"query_code": ""}}})
    logged = capsys.readouterr().err
    assert "Traceback" not in logged and "job.failed" not in logged


def test_a_provider_that_does_not_answer_a_callbacks_query_leaves_no_traceback(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """The job is tried again, as before: the provider's silence is expected, and our stack says nothing about it."""
    payment_id = gateway.begin("mpesa", 100)
    rule = {"fault": "before", "provider": "mpesa", "operation": "stkquery", "times": 1, "status": 500}
    gateway.sandbox.control({"rules": [rule]})
    capsys.readouterr()
    gateway.quiet()
    wait_until(gateway.run_due, "the callback's job")
    logged = capsys.readouterr().err
    assert "job.failed" in logged and "Traceback" not in logged
    assert gateway.settle(payment_id)["status"] == "completed"


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b'{"Body": 5}', b"\xff"], ids=repr)
def test_what_cannot_be_read_at_a_payments_own_url_is_a_reason_to_ask(gateway: Gateway, body: bytes) -> None:
    gateway.sandbox.control({"rules": [{"fault": "callback_lost", "operation": "stkpush", "times": 1}]})
    payment_id = gateway.begin("mpesa", 300)
    gateway.quiet()
    url = latest(gateway, "mpesa").url
    assert Delivery(url, body=body).send().status_code == 200
    gateway.run_due()
    assert gateway.payment(payment_id)["status"] == "completed"
    assert Delivery(url.rpartition("/")[0], body=body).send().status_code == 400, "nobody's URL"


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("paystack", EXPIRING_CARDS),
        ("paystack", {"event": "charge.success", "data": {}}),
        ("chapa", {"event": "charge.success"}),
        ("stripe", {"id": "evt_1", "type": "payment_intent.succeeded"}),
        ("stripe", []),
        ("stripe", {"id": "evt_2", "type": "x" * 300, "data": {"object": {}}}),
    ],
)
def test_a_signed_event_of_unknown_shape_is_kept_and_acknowledged(
    gateway: Gateway, provider: str, body: Json
) -> None:
    """A provider repeats for days what is refused."""
    delivery = signed(gateway, provider, body, secret=SECRETS[provider])
    assert delivery.send().status_code == 200
    gateway.run_due()
    ((state, verified),) = gateway.rows(
        "SELECT state, is_verified FROM provider_events WHERE provider = :provider AND body = :body",
        provider=provider,
        body=delivery.body,
    )
    assert (state, verified) == ("ignored", True)
    forged = signed(gateway, provider, body, secret="not the secret")
    assert forged.send().status_code == 401


def test_an_event_of_another_name_about_our_payment_is_a_reason_to_ask(gateway: Gateway) -> None:
    gateway.sandbox.control(
        {"rules": [{"fault": "callback_lost", "provider": "chapa", "operation": "initialize"}]}
    )
    payment_id = gateway.begin("chapa", 300)
    gateway.quiet()
    reference = gateway.attempts(payment_id)[0].reference
    body = {"event": "charge.something_new", "tx_ref": reference, "status": "success"}
    assert signed(gateway, "chapa", body, secret=SECRETS["chapa"]).send().status_code == 200
    gateway.run_due()
    assert gateway.payment(payment_id)["status"] == "completed"
