"""Stripe's simulator: PaymentIntents, refunds and disputes, used through the official SDK."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe

from app.sandbox.stripe.callbacks import signature
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox
from tests.support.waiting import wait_until

KEY, SECRET = "sk_test_sandbox", "whsec_sandbox"
CARD = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, "confirm": True}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(tmp_path_factory.mktemp("stripe"), autopay_s=None) as sandbox:
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
    return client_of(sandbox).v1


def client_of(sandbox: RunningSandbox, *, retries: int = 0) -> stripe.StripeClient:
    return stripe.StripeClient(
        KEY, base_addresses={"api": f"{sandbox.url}/stripe"}, max_network_retries=retries
    )


def pay(
    client: Any, amount: int = 5000, currency: str = "usd", method: str = "pm_card_visa", **more: Any
) -> Any:
    options = more.pop("options", {})
    params = {"amount": amount, "currency": currency, "payment_method": method, **CARD, **more}
    return client.payment_intents.create(params, options)


def post(
    sandbox: RunningSandbox, path: str, data: Any = None, *, key: str = KEY, **more: Any
) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
    return requests.post(f"{sandbox.url}/stripe/v1{path}", data=data, headers=headers, timeout=30, **more)


def events(receiver: CallbackReceiver, count: int) -> list[Any]:
    """The received events, whose signatures the SDK checks."""
    found = receiver.wait_for(count, path="/hook")
    for one in found:
        stripe.Webhook.construct_event(one.body, one.headers["stripe-signature"], SECRET)
    return [json.loads(one.body) for one in found]


def test_the_signature_matches_the_documents() -> None:
    body = b'{"id":"evt_1","object":"event","type":"payment_intent.succeeded"}'
    expected = "t=1700000000,v1=67da5088c63e080c71bd2bb0cb5c03d85a8fc6a21ce3aaf484df809654745b92"
    assert signature("whsec_test_secret", body, timestamp=1700000000) == expected


def test_a_card_pays(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    intent = pay(client, 10050, metadata={"reference": "order-1"}, description="Shoes")
    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 10050, "usd")
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    charge = client.charges.retrieve(intent.latest_charge)
    assert (charge.amount_captured, charge.payment_intent, charge.paid) == (10050, intent.id, True)
    (event,) = events(receiver, 1)
    assert event["type"] == "payment_intent.succeeded" and event["id"].startswith("evt_")
    assert event["data"]["object"]["metadata"] == {"reference": "order-1"}
    assert not any(name.startswith("_") for name in event["data"]["object"])
    assert client.events.retrieve(event["id"]).to_dict()["data"] == event["data"]
    records = sandbox.book("stripe", "order-1")["entries"]
    assert [(line["kind"], line["id"], line["amount"], line["currency"]) for line in records] == [
        ("charge", intent.id, "100.50", "USD")
    ]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_a_declined_payment_can_be_paid_with_another_card(
    client: Any,
    sandbox: RunningSandbox,
    receiver: CallbackReceiver,
    method: str,
    code: str,
    decline_code: str,
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        pay(client, method=method)
    body = caught.value.json_body["error"]
    assert (caught.value.http_status, body["code"], body["decline_code"]) == (402, code, decline_code)
    intent = client.payment_intents.retrieve(body["payment_intent"]["id"])
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", code)
    assert events(receiver, 1)[0]["type"] == "payment_intent.payment_failed"
    assert sandbox.book("stripe")["entries"] == []
    again = client.payment_intents.confirm(intent.id, {"payment_method": "pm_card_mastercard"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize(
    ("answer", "status", "redirect_status"),
    [
        ("complete", "succeeded", "succeeded"),
        ("fail", "requires_payment_method", "failed"),
    ],
)
def test_authentication_by_the_bank(
    client: Any, sandbox: RunningSandbox, answer: str, status: str, redirect_status: str
) -> None:
    intent = client.payment_intents.create(
        {
            "amount": 5000,
            "currency": "eur",
            "payment_method": "pm_card_threeDSecure2Required",
            "confirm": True,
            "return_url": "http://127.0.0.1:9/back?shop=1",
        }
    )
    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")
    page = intent.next_action.redirect_to_url.url
    assert "50.00 EUR" in requests.get(page, timeout=30).text
    back = requests.post(page, data={"answer": answer}, allow_redirects=False, timeout=30)
    assert back.status_code == 303
    assert back.headers["Location"].startswith("http://127.0.0.1:9/back?shop=1&payment_intent=pi_")
    assert f"redirect_status={redirect_status}" in back.headers["Location"]
    assert client.payment_intents.retrieve(intent.id).status == status
    assert (
        requests.post(page, data={"answer": answer}, timeout=30).status_code == 400
    )  # the challenge was answered before


def test_authorize_capture_and_cancel(client: Any, sandbox: RunningSandbox) -> None:
    held = pay(client, 9000, capture_method="manual")
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 9000, 0)
    assert sandbox.book("stripe")["entries"] == []
    with pytest.raises(stripe.InvalidRequestError, match="amount_to_capture"):
        client.payment_intents.capture(held.id, {"amount_to_capture": 9001})
    captured = client.payment_intents.capture(held.id, {"amount_to_capture": 4000})
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 4000, 0)
    assert sandbox.book("stripe")["totals"]["USD"]["charge"] == "40.00"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.payment_intents.cancel(held.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    waiting = client.payment_intents.create({"amount": 5000, "currency": "usd"})
    client.payment_intents.update(waiting.id, {"amount": 6000, "metadata": {"colour": "red"}})
    gone = client.payment_intents.cancel(waiting.id, {"cancellation_reason": "abandoned"})
    assert (gone.status, gone.cancellation_reason, gone.amount) == ("canceled", "abandoned", 6000)
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.confirm(waiting.id, {"payment_method": "pm_card_visa"})


def test_an_idempotency_key_makes_one_charge(client: Any, sandbox: RunningSandbox) -> None:
    options = {"idempotency_key": "key-1"}
    first = pay(client, options=options)
    second = pay(client, options=options)
    assert first.id == second.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    with pytest.raises(stripe.IdempotencyError) as caught:
        pay(client, 5001, options=options)
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.refunds.create({"payment_intent": first.id}, options)
    assert sandbox.book("stripe")["totals"]["USD"]["charge"] == "50.00"
    with pytest.raises(stripe.InvalidRequestError):
        pay(client, 1, options={"idempotency_key": "key-2"})
    assert (
        pay(client, 5000, options={"idempotency_key": "key-2"}).status == "succeeded"
    )  # no answer was stored
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            pay(client, method="pm_card_visa_chargeDeclined", options={"idempotency_key": "key-3"})
    assert len(client.charges.list({"limit": 100}).data) == 3
    sandbox.control({"advance_s": 25 * 3600})
    assert pay(client, 5001, options=options).id != first.id  # the key can be reused after a day


def test_lost_answers(client: Any, sandbox: RunningSandbox) -> None:
    with pytest.raises(stripe.APIConnectionError):
        pay(client, 700100, options={"idempotency_key": "lost"})
    assert pay(client, 700100, options={"idempotency_key": "lost"}).status == "succeeded"
    assert sandbox.book("stripe")["totals"]["USD"]["charge"] == "7001.00"
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            pay(client, 700200, options={"idempotency_key": "broken"})
        assert caught.value.http_status == 500
    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert sandbox.book("stripe")["totals"]["USD"]["charge"] == "14003.00"
    sandbox.control({"rules": [{"provider": "stripe", "fault": "before", "times": 1}]})
    retrying = client_of(sandbox, retries=1).v1
    assert pay(retrying, 100000).status == "succeeded"  # a 500 before the charge is not replayed
    assert sandbox.book("stripe")["totals"]["USD"]["charge"] == "15003.00"


def test_an_idempotency_key_in_use_conflicts(client: Any, sandbox: RunningSandbox) -> None:
    sandbox.control({"rules": [{"provider": "stripe", "fault": "delay", "seconds": 5, "times": 1}]})
    data = {"amount": "5000", "currency": "usd"}
    headers = {"Idempotency-Key": "same"}
    answers: list[requests.Response] = []
    slow = threading.Thread(
        target=lambda: answers.append(post(sandbox, "/payment_intents", data, headers=headers))
    )
    slow.start()
    wait_until(lambda: sandbox.control()["rules"][0]["times"] == 0, "the slow request is running")
    conflict = post(sandbox, "/payment_intents", data, headers=headers)
    slow.join()
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert post(sandbox, "/payment_intents", data, headers=headers).json()["id"] == answers[0].json()["id"]


VALID = {"amount": "5000", "currency": "usd"}


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": "5000"}, "parameter_missing", "currency"),
        ({"amount": "49", "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": "100000000", "currency": "usd"}, "amount_too_large", "amount"),
        ({"amount": "10.5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "0", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "5000", "currency": "xyz"}, None, "currency"),
        ({"amount": "10001", "currency": "kwd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "500050", "currency": "ugx"}, "parameter_invalid_integer", "amount"),
        (VALID | {"colour": "red"}, "parameter_unknown", "colour"),
        (VALID | {"receipt_email": "ann"}, "email_invalid", "receipt_email"),
        (VALID | {"payment_method": "pm_no"}, "resource_missing", "payment_method"),
        (VALID | {"confirm": "true", "payment_method": "pm_card_visa"}, None, "return_url"),
        (VALID | {"return_url": "nonsense", "confirm": "true"}, "url_invalid", "return_url"),
        (VALID | {"metadata[a]": "x" * 501}, None, "metadata[a]"),
        (VALID | {"capture_method": "later"}, None, "capture_method"),
    ],
)
def test_wrong_parameters(
    sandbox: RunningSandbox, params: dict[str, str], code: str | None, param: str
) -> None:
    answer = post(sandbox, "/payment_intents", params)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error.get("code"), error["param"]) == (code, param)


@pytest.mark.parametrize(
    ("amount", "currency", "recorded"),
    [(500, "jpy", "500.00"), (500000, "ugx", "5000.00"), (12340, "kwd", "12.34"), (100000, "kes", "1000.00")],
)
def test_amounts_by_currency(
    client: Any, sandbox: RunningSandbox, amount: int, currency: str, recorded: str
) -> None:
    pay(client, amount, currency)
    assert [(line["amount"], line["currency"]) for line in sandbox.book("stripe")["entries"]] == [
        (recorded, currency.upper())
    ]


def test_keys_and_unknown_paths(sandbox: RunningSandbox) -> None:
    wrong = post(sandbox, "/payment_intents", {"amount": "5000"}, key="sk_test_wrong_key")
    assert wrong.status_code == 401 and "wrong_key" not in wrong.text
    without_key = requests.get(f"{sandbox.url}/stripe/v1/balance", timeout=30)
    assert without_key.status_code == 401 and without_key.headers["Request-Id"].startswith("req_")
    basic = requests.get(f"{sandbox.url}/stripe/v1/balance", auth=(KEY, ""), timeout=30)
    assert basic.status_code == 200
    assert post(sandbox, "/nothing").status_code == 404
    assert post(sandbox, "/payment_intents", json={"amount": 5000}).status_code == 400
    none = requests.get(f"{sandbox.url}/stripe/v1/payment_intents/pi_no", auth=(KEY, ""), timeout=30)
    assert (none.status_code, none.json()["error"]["code"]) == (404, "resource_missing")
    sandbox.control(
        {
            "rules": [
                {"fault": "rate_limit", "times": 1, "operation": "balance"},
                {"fault": "token_expired", "times": 1, "operation": "balance"},
            ]
        }
    )
    answers = [requests.get(f"{sandbox.url}/stripe/v1/balance", auth=(KEY, ""), timeout=30) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 401, 200]


def test_refunds(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    intent = pay(client, 10000, metadata={"reference": "order-2"})
    part = client.refunds.create(
        {"payment_intent": intent.id, "amount": 3000, "metadata": {"reference": "r-1"}}
    )
    assert (part.status, part.amount, part.charge) == ("succeeded", 3000, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        client.refunds.create({"payment_intent": intent.id, "amount": 7001})
    rest = client.refunds.create({"charge": intent.latest_charge, "reason": "requested_by_customer"})
    assert rest.amount == 7000
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.refunds.create({"payment_intent": intent.id})
    assert (caught.value.http_status, caught.value.code) == (400, "charge_already_refunded")
    charge = client.charges.retrieve(intent.latest_charge, {"expand": ["payment_intent"]})
    assert (charge.amount_refunded, charge.refunded, charge.payment_intent.id) == (10000, True, intent.id)
    listed = client.refunds.list({"payment_intent": intent.id, "limit": 1})
    assert [refund.id for refund in listed.auto_paging_iter()] == [rest.id, part.id]
    types = [event["type"] for event in events(receiver, 7)]
    assert sorted(types) == sorted(
        ["payment_intent.succeeded", *["refund.created", "charge.refunded", "refund.updated"] * 2]
    )
    assert sandbox.book("stripe", "order-2")["totals"]["USD"]["net"] == "0.00"
    unpaid = client.payment_intents.create({"amount": 5000, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        client.refunds.create({"payment_intent": unpaid.id})


@pytest.mark.parametrize(
    ("amount", "end", "left"), [(720100, "succeeded", "2799.00"), (720200, "failed", "10000.00")]
)
def test_refunds_with_a_delayed_outcome(
    client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver, amount: int, end: str, left: str
) -> None:
    intent = pay(client, 1000000)
    refund = client.refunds.create({"payment_intent": intent.id, "amount": amount})
    assert refund.status == "pending"
    assert sandbox.book("stripe")["totals"]["USD"]["refund"] == "0.00"
    wait_until(lambda: client.refunds.retrieve(refund.id).status == end, f"the refund {end}")
    assert sandbox.book("stripe")["totals"]["USD"]["net"] == left
    assert client.charges.retrieve(intent.latest_charge).amount_refunded == (
        amount if end == "succeeded" else 0
    )
    assert {event["type"] for event in events(receiver, 4)} >= {"refund.created", "refund.updated"}


def test_a_refund_waits_for_the_bank(client: Any, sandbox: RunningSandbox) -> None:
    intent = pay(client, 1000000)
    refund = client.refunds.create({"payment_intent": intent.id, "amount": 720300})
    page = f"{sandbox.url}/stripe/bank/{refund.id}"
    assert "pending" in requests.get(page, timeout=30).text
    assert "failed" in requests.post(page, data={"answer": "return"}, timeout=30).text
    assert client.refunds.retrieve(refund.id).failure_reason == "lost_or_stolen_card"


def test_a_dispute(client: Any, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    intent = pay(client, method="pm_card_createDispute")
    types = {event["type"] for event in events(receiver, 3)}
    assert types == {"payment_intent.succeeded", "charge.dispute.created", "charge.dispute.funds_withdrawn"}
    (dispute,) = client.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.amount, dispute.charge) == ("needs_response", 5000, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    won = client.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True}
    )
    assert won.status == "won"
    assert "charge.dispute.funds_reinstated" in {event["type"] for event in events(receiver, 6)}


def test_search_and_lists(client: Any) -> None:
    ids = [pay(client, 5000 + n, metadata={"reference": f"order-{n}"}).id for n in range(3)]
    found = client.payment_intents.search({"query": "metadata['reference']:'order-1' AND status:'succeeded'"})
    assert [intent.id for intent in found.data] == [ids[1]]
    page = client.payment_intents.list({"limit": 2})
    assert ([intent.id for intent in page.data], page.has_more) == ([ids[2], ids[1]], True)
    rest = client.payment_intents.list({"starting_after": ids[1], "expand": ["data.latest_charge"]})
    assert [(intent.id, intent.latest_charge.amount) for intent in rest.data] == [(ids[0], 5000)]
    assert client.payment_intents.list({"created": {"gt": page.data[0].created + 60}}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.search({"query": "colour is red"})


def test_a_payment_survives_a_restart(client: Any, sandbox: RunningSandbox) -> None:
    intent = pay(client, options={"idempotency_key": "before"})
    sandbox.kill()
    sandbox.start()
    assert pay(client, options={"idempotency_key": "before"}).id == intent.id
    assert client.refunds.create({"payment_intent": intent.id}).status == "succeeded"
    assert sandbox.book("stripe")["totals"]["USD"]["net"] == "0.00"
