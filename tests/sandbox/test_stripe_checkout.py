"""Stripe's simulator: Checkout Sessions, their hosted page, and webhooks with faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe

from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox
from tests.support.waiting import wait_until

SECRET = "whsec_sandbox"
SUCCESS = "http://127.0.0.1:9/thanks?session={CHECKOUT_SESSION_ID}"
GOOD = {"number": "4242 4242 4242 4242", "expiry": "12/34", "cvc": "123"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(tmp_path_factory.mktemp("checkout"), autopay_s=None) as sandbox:
        yield sandbox


@pytest.fixture
def receiver() -> Iterator[CallbackReceiver]:
    with CallbackReceiver() as receiver:
        yield receiver


@pytest.fixture
def sandbox(running: RunningSandbox, receiver: CallbackReceiver) -> RunningSandbox:
    running.reset()
    running.control({"webhooks": {"stripe": f"{receiver.url}/hook"}})
    return running


@pytest.fixture
def client(sandbox: RunningSandbox) -> Any:
    base = {"api": f"{sandbox.url}/stripe"}
    return stripe.StripeClient("sk_test_sandbox", base_addresses=base, max_network_retries=0).v1


def open_session(client: Any, amount: int = 250000, currency: str = "kes", **more: Any) -> Any:
    options = more.pop("options", {})
    price = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Basket"}}
    params = {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "success_url": SUCCESS,
        "cancel_url": "http://127.0.0.1:9/basket",
        "client_reference_id": "basket-1",
        "payment_intent_data": {"metadata": {"reference": "basket-1"}},
        **more,
    }
    return client.checkout.sessions.create(params, options)


def submit(session: Any, **card: str) -> requests.Response:
    return requests.post(session.url, data={**GOOD, **card}, allow_redirects=False, timeout=30)


def types(receiver: CallbackReceiver, count: int) -> list[str]:
    """The types of the received events, in order of arrival. Events of the same moment may arrive in any order."""
    found = receiver.wait_for(count, path="/hook")
    for one in found:
        stripe.Webhook.construct_event(one.body, one.headers["stripe-signature"], SECRET)
    return [json.loads(one.body)["type"] for one in found]


def recorded_amounts(sandbox: RunningSandbox) -> list[str]:
    return [line["amount"] for line in sandbox.book("stripe", "basket-1")["entries"]]


def test_a_user_pays_on_the_page(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    session = open_session(client)
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (session.amount_total, session.currency, session.mode) == (250000, "kes", "payment")
    page = requests.get(session.url, timeout=30)
    assert "2500 KES" in page.text or "2500.00 KES" in page.text
    assert "no real money" in page.text and "4000000000000002" in page.text

    refused = submit(session, number="4000 0000 0000 9995")
    assert (refused.status_code, "insufficient funds" in refused.text) == (402, True)
    assert client.checkout.sessions.retrieve(session.id).payment_intent is None
    for wrong in ({"number": "4111111111111112"}, {"number": "12"}, {"expiry": "13/30"}, {"cvc": "1"}):
        assert submit(session, **wrong).status_code in (400, 402)
    assert recorded_amounts(sandbox) == []

    thanks = submit(session)
    assert thanks.headers["Location"] == SUCCESS.replace("{CHECKOUT_SESSION_ID}", session.id)
    done = client.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge", "line_items"]}
    )
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.payment_intent.metadata.to_dict() == {"reference": "basket-1"}
    assert done.payment_intent.latest_charge.amount == 250000
    assert done.line_items.data[0].description == "Basket"
    assert sorted(types(receiver, 3)) == [
        "checkout.session.completed",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
    ]
    assert recorded_amounts(sandbox) == ["2500.00"]
    again = submit(session)
    assert again.status_code == 400 and recorded_amounts(sandbox) == ["2500.00"]
    assert client.checkout.sessions.list({"payment_intent": done.payment_intent.id}).data[0].id == session.id


@pytest.mark.parametrize("answer", ["complete", "fail"])
def test_authentication_on_the_page(client: Any, sandbox: RunningSandbox, answer: str) -> None:
    session = open_session(client)
    asked = submit(session, number="4000002760003184")
    challenge = sandbox.url + asked.headers["Location"]
    assert asked.headers["Location"].startswith("/stripe/3ds/pi_")
    back = requests.post(challenge, data={"answer": answer}, allow_redirects=False, timeout=30)
    if answer == "complete":
        assert back.headers["Location"].endswith(session.id)
        assert client.checkout.sessions.retrieve(session.id).payment_status == "paid"
        return
    assert "failed authentication" in requests.get(sandbox.url + back.headers["Location"], timeout=30).text
    assert client.checkout.sessions.retrieve(session.id).status == "open"
    assert submit(session).status_code == 303
    assert recorded_amounts(sandbox) == ["2500.00"]


def test_expiry(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    session = open_session(client)
    assert client.checkout.sessions.expire(session.id).status == "expired"
    assert types(receiver, 1) == ["checkout.session.expired"]
    with pytest.raises(stripe.InvalidRequestError, match="open"):
        client.checkout.sessions.expire(session.id)
    assert submit(session).status_code == 400
    assert "expired" in requests.get(session.url, timeout=30).text
    second = open_session(client)
    sandbox.control({"advance_s": 24 * 3600 + 5})
    assert types(receiver, 2)[1] == "checkout.session.expired"  # by the timer
    assert client.checkout.sessions.retrieve(second.id).status == "expired"
    assert recorded_amounts(sandbox) == []


def test_the_simulated_customer_pays(
    client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver
) -> None:
    sandbox.control({"autopay_s": 0.2})
    session = open_session(client)
    assert sorted(types(receiver, 2)) == ["checkout.session.completed", "payment_intent.succeeded"]
    intent = client.checkout.sessions.retrieve(session.id).payment_intent
    assert client.refunds.create({"payment_intent": intent}).amount == 250000
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.payment_intents.cancel(intent)
    assert caught.value.code == "payment_intent_unexpected_state"


def test_opening_the_page_stops_the_simulated_customer(client: Any, sandbox: RunningSandbox) -> None:
    sandbox.control({"autopay_s": 3600})
    watched, other = open_session(client), open_session(client)
    requests.get(watched.url, timeout=30)
    sandbox.control({"advance_s": 7200})
    wait_until(
        lambda: client.checkout.sessions.retrieve(other.id).status == "complete", "the other one is paid"
    )
    assert client.checkout.sessions.retrieve(watched.id).status == "open"


@pytest.mark.parametrize(("amount", "code"), [(710100, "insufficient_funds"), (710400, "generic_decline")])
def test_planned_outcomes(
    client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver, amount: int, code: str
) -> None:
    sandbox.control({"autopay_s": 0.1})
    session = open_session(client, amount)
    assert types(receiver, 1) == ["payment_intent.payment_failed"]
    failed = json.loads(receiver.received[0].body)["data"]["object"]
    assert failed["last_payment_error"]["decline_code"] == code
    assert failed["metadata"] == {"reference": "basket-1"}
    assert client.checkout.sessions.retrieve(session.id).status == "open"
    assert recorded_amounts(sandbox) == []


def test_a_customer_who_leaves(client: Any, sandbox: RunningSandbox) -> None:
    sandbox.control({"autopay_s": 0.05})
    quiet = [open_session(client, amount) for amount in (710200, 710300)]
    paid = open_session(client)
    wait_until(
        lambda: client.checkout.sessions.retrieve(paid.id).status == "complete", "the scheduled customer pays"
    )
    assert [client.checkout.sessions.retrieve(session.id).status for session in quiet] == ["open", "open"]


def test_webhooks_before_the_answer(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    session = open_session(client, 700700)
    assert len(receiver.received) == 2  # when the answer arrived
    assert (session.status, session.payment_intent) == ("open", None)
    assert client.checkout.sessions.retrieve(session.id).status == "complete"


def test_webhooks_in_the_wrong_order(
    client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver
) -> None:
    session = open_session(client, 701200)
    assert submit(session).status_code == 303
    assert types(receiver, 3) == [
        "checkout.session.completed",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
    ]
    assert recorded_amounts(sandbox) == ["7012.00"]


def test_webhooks_lost_and_repeated(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    submit(open_session(client, 700500))
    assert {line["status"] for line in sandbox.callbacks("stripe")} == {"lost"}
    submit(open_session(client, 700600))
    receiver.wait_for(6, path="/hook")
    ids = [json.loads(one.body)["id"] for one in receiver.received]
    assert len(set(ids)) == 2 and all(ids.count(id) == 3 for id in ids)
    receiver.statuses = [500]
    submit(open_session(client))
    receiver.wait_for(9, path="/hook")  # two, and the retry of the refused one
    assert recorded_amounts(sandbox) == ["7005.00", "7006.00", "2500.00"]


def test_the_wrong_amount(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    session = open_session(client, 700900)
    submit(session)
    done = client.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (done.amount_total, done.payment_intent.amount_received) == (701000, 701000)
    objects = [json.loads(one.body)["data"]["object"] for one in receiver.wait_for(2)]
    assert sorted(one.get("amount_received", 0) + one.get("amount_total", 0) for one in objects) == [
        701000,
        701000,
    ]
    assert recorded_amounts(sandbox) == ["7010.00"]


def test_a_request_with_a_lost_answer_is_repeated(client: Any, sandbox: RunningSandbox) -> None:
    options = {"idempotency_key": "basket-1"}
    with pytest.raises(stripe.APIConnectionError):
        open_session(client, 700100, options=options)
    session = open_session(client, 700100, options=options)
    assert len(client.checkout.sessions.list().data) == 1
    assert submit(session).status_code == 303
    assert recorded_amounts(sandbox) == ["7001.00"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"success_url": "javascript:alert(1)"}, "success_url"),
        ({"mode": "subscription"}, "mode"),
        ({"line_items": []}, "line_items"),
        ({"expires_at": 5}, "expires_at"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        ({"payment_intent_data": {"colour": "red"}}, "colour"),
        ({"line_items": [{"price": "price_1", "quantity": 1}]}, "line_items[0][price]"),
    ],
)
def test_wrong_sessions(client: Any, change: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        open_session(client, **change)
    assert (caught.value.http_status, caught.value.param) == (400, param)
