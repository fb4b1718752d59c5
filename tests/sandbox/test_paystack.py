"""The Paystack simulator over real HTTP: its API, its page, its webhooks, its faults."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests

from app.sandbox.paystack.callbacks import sign
from app.sandbox.paystack.fees import fee
from tests.support.concurrency import concurrently
from tests.support.merchant import Merchant
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import listened_sandbox
from tests.support.waiting import wait_until

KEY = "sk_test_sandbox_paystack"
WEBHOOKS = "/hooks/paystack"
PAID = ("success", "reversed")
numbers = count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningSandbox, CallbackReceiver]]:
    with listened_sandbox(tmp_path_factory.mktemp("paystack"), autopay_s=0.1) as pair:
        yield pair


@pytest.fixture
def paystack(served: tuple[RunningSandbox, CallbackReceiver]) -> Paystack:
    return Paystack(*served)


class Paystack(Merchant):
    provider, base, key = "paystack", "/paystack", KEY

    def initialize(self, **changed: Any) -> requests.Response:
        body = {"email": "ama@example.com", "amount": 10_000, "reference": f"ref-{next(numbers)}"} | changed
        return self.post("/transaction/initialize", body)

    def start(self, **changed: Any) -> tuple[str, str]:
        """Reference and page of a new transaction that the simulated customer does not pay."""
        self.sandbox.control({"autopay_s": "off"})
        data = self.initialize(**changed).json()["data"]
        return data["reference"], data["authorization_url"]

    def verify(self, reference: str) -> dict[str, Any]:
        answer = self.get(f"/transaction/verify/{reference}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def paid(self, **changed: Any) -> dict[str, Any]:
        """The answer of verify for a new transaction, after it is paid."""
        answer = self.initialize(**changed)
        assert answer.status_code == 200, answer.text
        reference = answer.json()["data"]["reference"]
        wait_until(lambda: self.verify(reference)["status"] in PAID, "the customer pays")
        return self.verify(reference)

    def webhooks_of(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The data of the webhooks of this event, after checking each signature."""

        def arrived() -> list[dict[str, Any]]:
            for one in self.receiver.of(WEBHOOKS):
                right = hmac.new(KEY.encode(), one.body, hashlib.sha512).hexdigest()
                assert one.headers["x-paystack-signature"] == right
            assert all(set(body) == {"event", "data"} for body in self.webhooks())
            found = [body["data"] for body in self.webhooks() if body["event"] == event]
            return found if len(found) >= count else []

        return wait_until(arrived, f"{count} of {event} arrive")


def test_the_signature_matches_the_documents() -> None:
    body = b'{"event":"charge.success","data":{"reference":"ref_1","amount":10000}}'
    assert sign("sk_test_0123456789abcdef", body) == (
        "8d80c8c0af33cc5b5aeb590cfbedebbbd852cba7c41e758cf81553fd1032b42a"
        "ee75d9e8286b20c9911fc928dc647454ee25afbe7e02d4ad54d69b2b27acfa02"
    )


@pytest.mark.parametrize("authorization", ["", "Bearer sk_live_other", f"Basic {KEY}"])
def test_the_key_is_required(paystack: Paystack, authorization: str) -> None:
    answer = paystack.call("GET", "/transaction/verify/x", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()) == (401, {"status": False, "message": "Invalid key"})


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"email": None}, "missing_params"),
        ({"email": "invalid"}, "invalid_email_address"),
        ({"amount": None}, "invalid_amount"),
        ({"amount": 0}, "invalid_amount"),
        ({"amount": 100.5}, "invalid_amount"),
        ({"amount": "100.00"}, "invalid_amount"),
        ({"amount": True}, "invalid_amount"),
        ({"currency": "ETB"}, "unsupported_currency"),
        ({"reference": "with_underscore"}, "invalid_params"),
        ({"reference": "with space"}, "invalid_params"),
        ({"callback_url": "javascript:alert(1)"}, "invalid_params"),
        ({"channels": "card"}, "invalid_params"),
        ({"metadata": "not json"}, "invalid_params"),
    ],
)
def test_an_invalid_field_is_reported(paystack: Paystack, changed: dict[str, Any], code: str) -> None:
    answer = paystack.initialize(**changed)
    answered = answer.json()
    assert (answer.status_code, answered["status"], answered["code"]) == (400, False, code)
    assert answered["type"] == "validation_error" and answered["meta"]["nextStep"]


def test_only_json_is_read(paystack: Paystack) -> None:
    fields = {"email": "a@b.co", "amount": "100"}
    assert paystack.call("POST", "/transaction/initialize", data=fields).json()["code"] == "missing_params"


def test_a_reference_is_used_once(paystack: Paystack) -> None:
    answers = concurrently(8, lambda _: paystack.initialize(reference="once"))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    refusals = {(a.json()["message"], a.json()["code"]) for a in answers if a.status_code == 400}
    assert refusals == {("Duplicate Transaction Reference", "duplicate_reference")}


def test_a_transaction_has_a_webhook_a_status_and_a_record(paystack: Paystack) -> None:
    paid = paystack.paid(reference="whole", amount="250050", currency="KES", metadata={"order": 7})
    assert (paid["status"], paid["amount"], paid["requested_amount"]) == ("success", 250_050, 250_050)
    assert (paid["fees"], paid["currency"], paid["channel"]) == (7251, "KES", "card")
    assert paid["id"] > 2**32 - 1 - 200_000_000 and isinstance(paid["id"], int)
    assert paid["metadata"] == {"order": 7} and paid["authorization"]["reusable"] is True
    [webhook] = paystack.webhooks_of("charge.success")
    assert webhook == paid
    assert paystack.book("whole") == [("charge", "2500.50", "KES")]
    assert paystack.call("GET", f"/transaction/{paid['id']}").json()["data"]["reference"] == "whole"
    assert paystack.call("GET", "/transaction/1").status_code == 404


def test_metadata_is_returned_as_it_was_sent(paystack: Paystack) -> None:
    assert paystack.verify(paystack.start()[0])["metadata"] == ""
    assert paystack.verify(paystack.start(metadata='{"a":1}')[0])["metadata"] == '{"a":1}'


def test_an_unpaid_transaction_is_abandoned_and_an_unknown_one_is_refused(paystack: Paystack) -> None:
    reference, _ = paystack.start()
    unpaid = paystack.verify(reference)
    assert (unpaid["status"], unpaid["paid_at"], unpaid["fees"]) == ("abandoned", None, None)
    unknown = paystack.call("GET", "/transaction/verify/never-seen")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "transaction_not_found")


def test_xof_has_a_hundred_subunits(paystack: Paystack) -> None:
    paystack.paid(reference="xof", amount=50_000, currency="XOF")
    assert paystack.book("xof") == [("charge", "500.00", "XOF")]


@pytest.mark.parametrize(
    ("amount", "currency", "channel", "expected"),
    [
        (10_000, "NGN", "card", 10_150),
        (10_000, "KES", "mobile_money", 150),
        (10_000, "ZAR", "card", 390),
        (33, "GHS", "card", 1),
    ],
)
def test_fees(amount: int, currency: str, channel: str, expected: int) -> None:
    assert fee(amount, currency, channel=channel) == expected


@pytest.mark.parametrize(
    ("number", "cvv", "answers"),
    [
        ("4084 0840 8408 4081", "408", []),
        ("507850785078507812", "081", ["1111"]),
        ("5060666666666666666", "123", ["1234", "123456"]),
        ("507850785078507804", "", ["0000", "0801234567", "123456"]),
        ("5192602720584796", "", [""]),
    ],
)
def test_cards_that_pay(paystack: Paystack, number: str, cvv: str, answers: list[str]) -> None:
    reference, page = paystack.start(callback_url="http://127.0.0.1:9/thanks?shop=1")
    assert "Card number" in requests.get(page, timeout=30).text
    assert paystack.verify(reference)["status"] == "ongoing"
    answered = requests.post(
        f"{page}/card", data={"number": number, "cvv": cvv}, timeout=30, allow_redirects=False
    )
    for answer in answers:
        assert paystack.verify(reference)["status"] == "ongoing"
        answered = requests.post(f"{page}/step", data={"answer": answer}, timeout=30, allow_redirects=False)
    back = f"http://127.0.0.1:9/thanks?shop=1&trxref={reference}&reference={reference}"
    assert answered.headers["Location"] == back
    assert paystack.verify(reference)["authorization"]["last4"] == number[-4:]


@pytest.mark.parametrize(
    ("number", "cvv", "why"),
    [
        ("4084080000005408", "001", "Declined"),
        ("4084080000670037", "787", "Insufficient Funds"),
        ("4111111111111111", "", "Declined"),
    ],
)
def test_a_failed_card_sends_no_webhook_and_another_card_can_pay(
    paystack: Paystack, number: str, cvv: str, why: str
) -> None:
    reference, page = paystack.start()
    shown = requests.post(f"{page}/card", data={"number": number, "cvv": cvv}, timeout=30)
    assert f"{why}. You can try again." in shown.text
    failed = paystack.verify(reference)
    assert (failed["status"], failed["gateway_response"]) == ("failed", why)
    requests.post(f"{page}/card", data={"number": "4084084084084081", "cvv": "408"}, timeout=30)
    assert paystack.verify(reference)["status"] == "success"
    paystack.webhooks_of("charge.success")
    assert len(paystack.receiver.of(WEBHOOKS)) == 1


def test_wrong_answers(paystack: Paystack) -> None:
    reference, page = paystack.start()
    card = {"number": "5060666666666666666", "cvv": "123"}
    assert requests.post(f"{page}/card", data=card | {"cvv": "999"}, timeout=30).status_code == 400
    requests.post(f"{page}/card", data=card, timeout=30)
    requests.post(f"{page}/step", data={"answer": "9999"}, timeout=30)
    assert paystack.verify(reference)["gateway_response"] == "Incorrect PIN"
    requests.post(f"{page}/card", data=card, timeout=30)
    requests.post(f"{page}/step", data={"answer": "1234"}, timeout=30)
    assert requests.post(f"{page}/step", data={"answer": "000000"}, timeout=30).status_code == 400
    requests.post(f"{page}/step", data={"answer": "123456"}, timeout=30)
    assert paystack.verify(reference)["status"] == "success"


@pytest.mark.parametrize(
    ("currency", "phone", "otp"),
    [("KES", "0710000000", None), ("GHS", "0551234987", None), ("XOF", "0700000000", "1234")],
)
def test_mobile_money(paystack: Paystack, currency: str, phone: str, otp: str | None) -> None:
    reference, page = paystack.start(currency=currency, channels=["mobile_money"])
    requests.post(f"{page}/wallet", data={"phone": "0799999999"}, timeout=30)
    assert paystack.verify(reference)["status"] == "failed"
    requests.post(f"{page}/wallet", data={"phone": phone}, timeout=30)
    if otp:
        requests.post(f"{page}/step", data={"answer": otp}, timeout=30)
    paid = paystack.verify(reference)
    assert (paid["status"], paid["channel"], paid["authorization"]["reusable"]) == (
        "success",
        "mobile_money",
        False,
    )


def test_leaving_the_page_and_returning(paystack: Paystack) -> None:
    reference, page = paystack.start(metadata={"cancel_action": "http://127.0.0.1:9/cart"})
    requests.get(page, timeout=30)
    gone = requests.post(f"{page}/cancel", timeout=30, allow_redirects=False)
    assert gone.headers["Location"] == "http://127.0.0.1:9/cart"
    assert paystack.verify(reference)["status"] == "abandoned"
    requests.post(f"{page}/bank", timeout=30)
    assert paystack.verify(reference)["channel"] == "bank"
    other, page = paystack.start(metadata={"cancel_action": "javascript:alert(1)"})
    assert "You have left the payment" in requests.post(f"{page}/cancel", timeout=30).text
    assert paystack.verify(other)["status"] == "abandoned"


def test_a_transaction_is_paid_once(paystack: Paystack) -> None:
    reference, page = paystack.start()
    concurrently(8, lambda _: requests.post(f"{page}/bank", timeout=30))
    requests.post(f"{page}/card", data={"number": "4084080000005408", "cvv": "001"}, timeout=30)
    requests.post(f"{page}/cancel", timeout=30)
    assert paystack.verify(reference)["status"] == "success"
    assert paystack.book(reference) == [("charge", "100.00", "NGN")]
    assert len(paystack.sandbox.callbacks("paystack")) == 1


def test_opening_the_page_stops_the_simulated_customer(paystack: Paystack) -> None:
    paystack.sandbox.control({"autopay_s": 3600})
    page = paystack.initialize(reference="opened").json()["data"]["authorization_url"]
    paystack.initialize(reference="alone")
    requests.get(page, timeout=30)
    paystack.sandbox.control({"advance_s": 7200})
    wait_until(
        lambda: paystack.verify("alone")["status"] == "success", "the payment without an open page is paid"
    )
    assert paystack.verify("opened")["status"] == "ongoing"


def test_a_card_is_charged_again(paystack: Paystack) -> None:
    code = paystack.paid(email="again@example.com")["authorization"]["authorization_code"]
    body = {"email": "again@example.com", "amount": 5000, "authorization_code": code, "reference": "again"}
    answer = paystack.call("POST", "/transaction/charge_authorization", body).json()
    assert (answer["message"], answer["data"]["status"]) == ("Charge attempted", "success")
    assert paystack.book("again") == [("charge", "50.00", "NGN")]
    again = paystack.call("POST", "/transaction/charge_authorization", body)
    assert again.json()["code"] == "duplicate_reference"
    other = body | {"email": "other@example.com", "reference": "other"}
    assert paystack.call("POST", "/transaction/charge_authorization", other).status_code == 400
    invented = body | {"authorization_code": "AUTH_none", "reference": "invented"}
    refused = paystack.call("POST", "/transaction/charge_authorization", invented)
    assert (refused.status_code, refused.json()["message"]) == (400, "Authorization code is invalid")
    asked = body | {"amount": 712_500, "reference": "asked"}
    paused = paystack.call("POST", "/transaction/charge_authorization", asked).json()["data"]
    assert paused["paused"] and paused["authorization_url"] and paystack.book("asked") == []
    poor = body | {"amount": 710_100, "reference": "poor"}
    data = paystack.call("POST", "/transaction/charge_authorization", poor).json()["data"]
    assert (data["status"], data["gateway_response"]) == ("failed", "Insufficient Funds")


def test_the_list_has_pages(paystack: Paystack) -> None:
    paystack.sandbox.control({"autopay_s": "off"})
    for number in range(5):
        paystack.initialize(reference=f"list-{number}")
    answer = paystack.call("GET", "/transaction?perPage=2&page=2").json()
    assert [one["reference"] for one in answer["data"]] == ["list-2", "list-1"]
    assert answer["meta"] == {"total": 5, "skipped": 2, "perPage": 2, "page": 2, "pageCount": 3}
    assert paystack.call("GET", "/transaction?status=success").json()["data"] == []


def test_lost_and_failed_answers(paystack: Paystack) -> None:
    with pytest.raises(requests.ConnectionError):
        paystack.initialize(reference="lost", amount=700_100)
    after = paystack.initialize(reference="after", amount=700_200)
    assert (after.status_code, after.json()["status"], after.json()["type"]) == (500, False, "api_error")
    assert paystack.initialize(reference="before", amount=700_300).status_code == 500
    assert paystack.initialize(reference="limited", amount=701_000).status_code == 429
    for reference in ("lost", "after"):
        wait_until(lambda name=reference: paystack.verify(name)["status"] == "success", "it was done")
    assert paystack.call("GET", "/transaction/verify/before").status_code == 400


def test_callbacks_are_early_repeated_or_lost(paystack: Paystack) -> None:
    assert paystack.initialize(reference="early", amount=700_700).ok
    assert json.loads(paystack.receiver.received[0].body)["data"]["reference"] == "early"
    paystack.paid(reference="thrice", amount=700_600)
    paystack.paid(reference="none", amount=700_500)
    webhooks = paystack.webhooks_of("charge.success", 4)
    assert sorted(one["reference"] for one in webhooks) == ["early", "thrice", "thrice", "thrice"]

    def lost() -> int:
        return [one["status"] for one in paystack.sandbox.callbacks("paystack")].count("lost")

    paystack.sandbox.until(lost, "a callback is lost")
    assert lost() == 1


def test_magic_amounts(paystack: Paystack) -> None:
    wrong = paystack.paid(reference="wrong", amount=700_900)
    assert (wrong["amount"], wrong["requested_amount"]) == (701_000, 701_000)
    assert paystack.book("wrong") == [("charge", "7010.00", "NGN")]
    borne = paystack.paid(reference="borne", amount=712_000, currency="GHS")
    assert (borne["amount"], borne["requested_amount"], borne["fees"]) == (725_884, 712_000, 13_884)
    assert paystack.book("borne") == [("charge", "7120.00", "GHS")]


def test_an_old_webhook_arrives_after_a_new_one(paystack: Paystack) -> None:
    paystack.paid(reference="old", amount=701_200)
    paystack.webhooks_of("charge.failed")
    assert [body["event"] for body in paystack.webhooks()] == ["charge.success", "charge.failed"]


@pytest.mark.parametrize(
    ("amount", "status", "why"),
    [
        (710_100, "failed", "Insufficient Funds"),
        (710_400, "failed", "Declined"),
        (710_200, "abandoned", "The transaction was not completed"),
        (710_300, "abandoned", "The transaction was not completed"),
    ],
)
def test_payments_that_do_not_succeed(paystack: Paystack, amount: int, status: str, why: str) -> None:
    paystack.sandbox.control({"autopay_s": 60})
    paystack.initialize(reference="declined", amount=amount)
    paystack.initialize(reference="later")
    paystack.sandbox.control({"advance_s": 120})
    wait_until(lambda: paystack.verify("later")["status"] == "success", "the next payment is paid")
    wait_until(lambda: paystack.verify("declined")["status"] == status, "it has this status")
    assert paystack.verify("declined")["gateway_response"] == why
    assert paystack.book("declined") == []
