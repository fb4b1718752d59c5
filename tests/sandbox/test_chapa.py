"""The Chapa simulator over real HTTP: its API, its page, its callbacks, its faults."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
import requests

from app.sandbox.chapa.callbacks import signatures
from app.sandbox.chapa.errors import INVALID_KEY
from tests.support.concurrency import concurrently
from tests.support.merchant import Merchant
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import listened_sandbox
from tests.support.waiting import wait_until

HOOK = b"chapa-sandbox-hook"
WEBHOOKS = "/hooks/chapa"
numbers = count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningSandbox, CallbackReceiver]]:
    with listened_sandbox(tmp_path_factory.mktemp("chapa"), autopay_s=0.1) as pair:
        yield pair


@pytest.fixture
def chapa(served: tuple[RunningSandbox, CallbackReceiver]) -> Chapa:
    return Chapa(*served)


class Chapa(Merchant):
    provider, base, key = "chapa", "/chapa/v1", "CHASECK_TEST-sandbox"

    def initialize(self, **changed: Any) -> requests.Response:
        body = {"amount": "400", "currency": "ETB", "tx_ref": f"tx-{next(numbers)}"} | changed
        return self.post("/transaction/initialize", body)

    def start(self, **changed: Any) -> tuple[str, str]:
        """tx_ref and checkout_url of a new payment that the simulated customer does not pay."""
        self.sandbox.control({"autopay_s": "off"})
        tx_ref = f"tx-{next(numbers)}"
        answer = self.initialize(tx_ref=tx_ref, **changed)
        return tx_ref, answer.json()["data"]["checkout_url"]

    def verify(self, tx_ref: str) -> requests.Response:
        return self.get(f"/transaction/verify/{tx_ref}")

    def cancel(self, tx_ref: str) -> requests.Response:
        return self.call("PUT", f"/transaction/cancel/{tx_ref}")

    def paid(self, **changed: Any) -> dict[str, Any]:
        """The answer of verify for a new payment, after it is paid."""
        tx_ref = changed.pop("tx_ref", f"tx-{next(numbers)}")
        answer = self.initialize(tx_ref=tx_ref, **changed)
        assert answer.status_code == 200, answer.text
        wait_until(lambda: self.verify(tx_ref).status_code == 200, "the customer pays")
        return self.verify(tx_ref).json()["data"]

    def webhooks_of(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The webhooks of this event, after checking each signature."""

        def arrived() -> list[dict[str, Any]]:
            for one in self.receiver.of(WEBHOOKS):
                right = hmac.new(HOOK, one.body, hashlib.sha256).hexdigest()
                assert one.headers["x-chapa-signature"] == right
            found = [body for body in self.webhooks() if body["event"] == event]
            return found if len(found) >= count else []

        return wait_until(arrived, f"{count} of {event} arrive")


def test_signatures_match_the_documents() -> None:
    body = b'{"event":"charge.success","tx_ref":"tx-1","amount":"400.00"}'
    assert signatures("chapa_hook_secret", body) == {
        "x-chapa-signature": "112a6c5b633ae48fe9065417823defc2efd34b9ce07fe68de13bccb4c7b5c7ba",
        "chapa-signature": "3fe5206161b6f3545a7d875388d8681f644bdad1a4336d86d7a3177ebccc4c50",
    }


@pytest.mark.parametrize(
    ("authorization", "message"),
    [("", "Authorization required"), ("Bearer CHASECK-live", INVALID_KEY)],
)
def test_the_key_is_required(chapa: Chapa, authorization: str, message: str) -> None:
    answer = chapa.call("GET", "/transaction/verify/tx", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.json() == {"message": message, "status": "failed", "data": None}


def test_plain_text_is_refused(chapa: Chapa) -> None:
    answer = chapa.call(
        "POST", "/transaction/initialize", data="amount=1", headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Incorrect header settings")


def test_a_form_is_accepted(chapa: Chapa) -> None:
    fields = {
        "amount": "10",
        "currency": "ETB",
        "tx_ref": "form-1",
        "customization[title]": "Far too long a title",
    }
    answer = chapa.call("POST", "/transaction/initialize", data=fields)
    assert answer.json()["message"] == {"customization.title": ["validation.max.string"]}
    assert chapa.call("POST", "/transaction/initialize", data=fields | {"customization[title]": "Shop"}).ok


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"amount": None}, {"amount": ["validation.required"]}),
        ({"tx_ref": ""}, {"tx_ref": ["validation.required"]}),
        ({"amount": "ten"}, {"amount": ["validation.numeric"]}),
        ({"amount": True}, {"amount": ["validation.numeric"]}),
        ({"amount": "-1"}, {"amount": ["validation.numeric"]}),
        ({"amount": "NaN"}, {"amount": ["validation.numeric"]}),
        ({"amount": "1.005"}, {"amount": ["validation.numeric"]}),
        ({"email": "invalid"}, {"email": ["validation.email"]}),
        ({"phone_number": "+251911223344"}, {"phone_number": ["validation.phone_number"]}),
        ({"phone_number": "091122334"}, {"phone_number": ["validation.phone_number"]}),
        ({"return_url": "javascript:alert(1)"}, {"return_url": ["validation.url"]}),
        (
            {"customization": {"title": "seventeen letters"}},
            {"customization.title": ["validation.max.string"]},
        ),
        ({"customization": {"description": "50% off!"}}, {"customization.description": ["validation.regex"]}),
        ({"currency": "KES"}, "Invalid currency. Chapa supports ETB and USD."),
    ],
)
def test_an_invalid_field_is_reported(chapa: Chapa, changed: dict[str, Any], message: object) -> None:
    answer = chapa.initialize(**changed)
    assert (answer.status_code, answer.json()["message"], answer.json()["data"]) == (400, message, None)


def test_a_reference_is_used_once(chapa: Chapa) -> None:
    answers = concurrently(8, lambda _: chapa.initialize(tx_ref="once"))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert {answer.json()["message"] for answer in answers if answer.status_code == 400} == {
        "Transaction reference has been used before"
    }


def test_a_payment_has_a_webhook_a_status_and_a_record(chapa: Chapa) -> None:
    back = f"{chapa.receiver.url}/callback?shop=1"
    paid = chapa.paid(tx_ref="whole", amount=400.5, email="a@b.co", meta={"order": 7}, callback_url=back)
    assert (paid["amount"], paid["charge"], paid["status"]) == (400.5, 14.02, "success")
    assert paid["meta"] == {"order": 7} and paid["mode"] == "test" and paid["tx_ref"] == "whole"
    [webhook] = chapa.webhooks_of("charge.success")
    assert (webhook["amount"], webhook["charge"]) == ("400.50", "14.02")
    assert webhook["reference"] == paid["reference"] and "data" not in webhook
    [called] = chapa.receiver.wait_for(path="/callback")
    assert called.method == "GET"
    assert called.path == f"/callback?shop=1&trx_ref=whole&ref_id={paid['reference']}&status=success"
    assert chapa.book("whole") == [("charge", "400.50", "ETB")]


def test_a_whole_amount_is_a_whole_number(chapa: Chapa) -> None:
    assert '"amount": 100,' in chapa.verify(chapa.paid(amount="100.00")["tx_ref"]).text


def test_an_unpaid_payment_differs_from_an_unknown_one(chapa: Chapa) -> None:
    tx_ref, _ = chapa.start()
    unpaid, unknown = chapa.verify(tx_ref), chapa.verify("never-seen")
    assert (unpaid.status_code, unpaid.json()) == (
        404,
        {"message": "Payment not paid yet", "status": None, "data": None},
    )
    assert (unknown.status_code, unknown.json()["status"]) == (404, "failed")
    assert unknown.json()["message"] == "Invalid transaction or Transaction not found"


def test_a_user_pays_by_wallet(chapa: Chapa) -> None:
    tx_ref, page = chapa.start(return_url="http://127.0.0.1:9/thanks", customization={"title": "Shop & Co"})
    assert "Shop &amp; Co" in requests.get(page, timeout=30).text
    asked = requests.post(f"{page}/wallet", data={"method": "telebirr", "phone": "0900123456"}, timeout=30)
    assert "Enter the code" in asked.text
    wrong = requests.post(f"{page}/otp", data={"otp": "00000"}, timeout=30)
    assert wrong.status_code == 400 and chapa.verify(tx_ref).status_code == 404
    right = requests.post(f"{page}/otp", data={"otp": "12345"}, timeout=30, allow_redirects=False)
    assert right.headers["Location"] == "http://127.0.0.1:9/thanks"
    assert chapa.verify(tx_ref).json()["data"]["method"] == "telebirr"
    assert chapa.webhooks_of("charge.success")[0]["mobile"] == "0900123456"


@pytest.mark.parametrize(
    ("form", "fields", "status"),
    [
        ("card", {"number": "4242 4242 4242 4242"}, "success"),
        ("card", {"number": "4000000000009995"}, "failed"),
        ("card", {"number": "4000000000000002"}, "failed"),
        ("wallet", {"method": "telebirr", "phone": "0911111111"}, "failed"),
        ("wallet", {"method": "mpesa", "phone": "0900123456"}, "failed"),
        ("cancel", {}, "failed"),
    ],
)
def test_how_payments_end_on_the_page(chapa: Chapa, form: str, fields: dict[str, str], status: str) -> None:
    tx_ref, page = chapa.start()
    shown = requests.post(f"{page}/{form}", data=fields, timeout=30)
    assert ('role="alert"' in shown.text) == (status == "failed")
    assert chapa.verify(tx_ref).json()["data"]["status"] == status
    chapa.webhooks_of("charge.success" if status == "success" else "charge.failed/cancelled")
    assert len(chapa.book(tx_ref)) == (status == "success")


def test_another_card_pays_after_one_that_failed(chapa: Chapa) -> None:
    tx_ref, page = chapa.start()
    for number in ("4000000000000002", "4242424242424242"):
        requests.post(f"{page}/card", data={"number": number}, timeout=30)
    assert chapa.verify(tx_ref).json()["data"]["status"] == "success"
    assert len(chapa.book(tx_ref)) == 1


def test_a_payment_ends_once(chapa: Chapa) -> None:
    tx_ref, page = chapa.start()
    card = {"number": "4242424242424242"}
    concurrently(8, lambda _: requests.post(f"{page}/card", data=card, timeout=30))
    requests.post(f"{page}/cancel", timeout=30)
    assert chapa.verify(tx_ref).json()["data"]["status"] == "success"
    assert chapa.book(tx_ref) == [("charge", "400.00", "ETB")]
    assert len(chapa.sandbox.callbacks("chapa")) == 1


def test_a_payment_is_cancelled(chapa: Chapa) -> None:
    tx_ref, page = chapa.start()
    answer = chapa.cancel(tx_ref).json()
    assert (answer["message"], answer["status"]) == ("Checkout link expired successfully", "success")
    assert (answer["data"]["tx_ref"], answer["data"]["amount"], answer["data"]["currency"]) == (
        tx_ref,
        400,
        "ETB",
    )
    shown = requests.post(f"{page}/card", data={"number": "4242424242424242"}, timeout=30)
    assert "The merchant has cancelled the payment." in shown.text
    assert chapa.verify(tx_ref).json()["data"]["status"] == "cancelled"
    assert chapa.book(tx_ref) == []


def test_only_a_pending_payment_can_be_cancelled(chapa: Chapa) -> None:
    tx_ref = chapa.paid()["tx_ref"]
    other, _ = chapa.start()
    chapa.cancel(other)
    for name in (tx_ref, other):
        refused = chapa.cancel(name)
        assert refused.status_code == 400
        assert refused.json() == {"message": "Payment link already expired", "status": "failed", "data": None}
    assert chapa.verify(tx_ref).json()["data"]["status"] == "success"
    assert chapa.cancel("never-seen").status_code == 404
    assert chapa.call("POST", f"/transaction/cancel/{other}").status_code in (400, 405)


def test_opening_the_page_stops_the_simulated_customer(chapa: Chapa) -> None:
    chapa.sandbox.control({"autopay_s": 3600})
    page = chapa.initialize(tx_ref="opened").json()["data"]["checkout_url"]
    chapa.initialize(tx_ref="alone")
    requests.get(page, timeout=30)
    chapa.sandbox.control({"advance_s": 7200})
    wait_until(lambda: chapa.verify("alone").status_code == 200, "the payment without an open page is paid")
    assert chapa.verify("opened").status_code == 404


def test_an_answer_is_lost_after_the_payment_was_made(chapa: Chapa) -> None:
    with pytest.raises(requests.ConnectionError):
        chapa.initialize(tx_ref="lost", amount="7001")
    wait_until(lambda: chapa.verify("lost").status_code == 200, "the payment was made")
    assert chapa.book("lost") == [("charge", "7001.00", "ETB")]


def test_a_server_error_before_and_after(chapa: Chapa) -> None:
    assert chapa.initialize(tx_ref="after", amount="7002").status_code == 500
    assert chapa.initialize(tx_ref="before", amount="7003").status_code == 500
    wait_until(lambda: chapa.verify("after").status_code == 200, "the payment was made")
    assert chapa.verify("before").json()["message"] == "Invalid transaction or Transaction not found"
    assert chapa.initialize(tx_ref="limited", amount="7010").status_code == 429


def test_callbacks_are_early_repeated_or_lost(chapa: Chapa) -> None:
    assert chapa.initialize(tx_ref="early", amount="7007").ok
    assert json.loads(chapa.receiver.received[0].body)["tx_ref"] == "early"  # before the answer
    chapa.paid(tx_ref="thrice", amount="7006")
    chapa.paid(tx_ref="none", amount="7005")
    webhooks = chapa.webhooks_of("charge.success", 4)
    assert sorted(one["tx_ref"] for one in webhooks) == ["early", "thrice", "thrice", "thrice"]

    def lost() -> int:
        return [one["status"] for one in chapa.sandbox.callbacks("chapa")].count("lost")

    chapa.sandbox.until(lost, "a callback is lost")
    assert lost() == 1


def test_more_is_collected_than_requested(chapa: Chapa) -> None:
    assert chapa.paid(tx_ref="more", amount="7009")["amount"] == 7010
    assert chapa.webhooks_of("charge.success")[0]["amount"] == "7010.00"
    assert chapa.book("more") == [("charge", "7010.00", "ETB")]


def test_an_old_webhook_arrives_after_a_new_one(chapa: Chapa) -> None:
    chapa.paid(tx_ref="old", amount="7012")
    [old] = chapa.webhooks_of("charge.failed/cancelled")
    assert [body["event"] for body in chapa.webhooks()] == ["charge.success", "charge.failed/cancelled"]
    assert chapa.verify("old").json()["data"]["reference"] != old["reference"]


@pytest.mark.parametrize("amount", ["7101", "7102", "7104"])
def test_payments_that_fail(chapa: Chapa, amount: str) -> None:
    assert chapa.paid(amount=amount)["status"] == "failed"
    assert chapa.webhooks_of("charge.failed/cancelled")[0]["status"] == "failed/cancelled"
    assert chapa.book() == []


def test_webhooks_are_repeated_until_http_200(chapa: Chapa) -> None:
    chapa.receiver.statuses.append(503)
    chapa.paid()
    chapa.receiver.wait_for(1)
    wait_until(lambda: chapa.sandbox.callbacks("chapa")[0]["attempts"] == 1, "the first attempt is recorded")
    chapa.sandbox.control({"advance_s": 601})
    assert len(chapa.webhooks_of("charge.success", 2)) == 2


def test_a_webhook_is_sent_ten_times_at_most(chapa: Chapa) -> None:
    chapa.receiver.status = 503
    chapa.paid()

    def sendings() -> tuple[int, str]:
        webhook = next(one for one in chapa.sandbox.callbacks("chapa") if one["method"] == "POST")
        return webhook["attempts"], webhook["status"]

    for number in range(1, 10):
        wait_until(lambda number=number: sendings() == (number, "waiting"), f"sending {number} is recorded")
        chapa.sandbox.control({"advance_s": 601 * number})
    wait_until(lambda: sendings() == (10, "failed"), "Chapa gives up")


def test_the_index_links_to_the_page(chapa: Chapa) -> None:
    _, page = chapa.start()
    assert f'href="{page}"' in requests.get(f"{chapa.sandbox.url}/sandbox/", timeout=30).text


def test_balances_include_all_movements(chapa: Chapa) -> None:
    def available() -> Decimal:
        data = chapa.call("GET", "/balances").json()["data"]
        return next(Decimal(str(one["available_balance"])) for one in data if one["currency"] == "ETB")

    before = available()
    chapa.paid(amount="1000")
    assert available() - before == Decimal("965")
    assert {one["code"] for one in chapa.call("GET", "/currency_supported").json()["data"]} == {"ETB", "USD"}
