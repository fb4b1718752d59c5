"""Payments of bookings: whatever fails or happens at once, a stay is paid once, confirmed once, and its nights are one traveller's.

Seen failing when `_is_first` reads before it writes, when the notification's row has no unique (kind, ref), when a page whose answer
was lost is not closed before another payment begins, and when a failed try ends a payment whose page is still open.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter

import pytest
import requests

from app.http.guards import API_KEY_HEADER as KEY
from app.models.member import Role
from app.money import Money
from app.providers.base import ProviderResult, State
from app.services.bookings import confirmation
from tests.faults.payments.booking_facts import assert_confirmed_once, begun, fault, mails, webhook
from tests.faults.payments.facts import entries, events, operator
from tests.support.bookings import DECLINED_CARD, Answer, BookingSite, pay_by_card
from tests.support.concurrency import concurrently
from tests.support.gateway import Gateway
from tests.support.outcomes import apply_to_attempt
from tests.support.tenants import MerchantClient, make_member

BEING_CHECKED = "A payment of this booking is being checked. Do not pay again."
RICH = "Payment verified and completed successfully"
KNOWN = "Payment already verified"


def test_twenty_verifications_and_webhooks_at_once(gateway: Gateway, site: BookingSite) -> None:
    """One entry in the ledger, one mail, one answer with the whole booking."""
    booking_id, payment = begun(site)
    fault(gateway, "callback_delay", operation="callback", seconds=600)
    pay_by_card(payment["checkout_url"])
    reference = payment["transaction_reference"]

    def act(number: int) -> Answer | int:
        return webhook(gateway, reference) if number % 2 else site.verify(reference)

    answers = concurrently(20, act)
    assert {answer for answer in answers if isinstance(answer, int)} == {200}
    verified = [answer for answer in answers if isinstance(answer, Answer)]
    assert {answer.status for answer in verified} == {200}
    assert Counter(answer.message for answer in verified) == {RICH: 1, KNOWN: 9}
    assert site.verify(reference).message == KNOWN
    gateway.advance(700)
    assert_confirmed_once(gateway, site, booking_id, payment["payment_id"])


def test_the_webhook_alone(gateway: Gateway, site: BookingSite) -> None:
    """The traveller closes the browser after paying; the first verification is rich all the same, and one of many at once."""
    booking_id, payment = begun(site)
    pay_by_card(payment["checkout_url"])
    assert_confirmed_once(gateway, site, booking_id, payment["payment_id"])
    found = concurrently(12, lambda _: site.verify(payment["transaction_reference"], method="POST"))
    assert Counter(answer.message for answer in found) == {RICH: 1, KNOWN: 11}


def test_the_callback_alone(gateway: Gateway, site: BookingSite) -> None:
    """Without webhooks the provider's GET to the callback URL, which proves nothing, makes the gateway ask."""
    address = gateway.sandbox.control()["webhooks"]["chapa"]
    booking_id, payment = begun(site)
    gateway.sandbox.control({"webhooks": {"chapa": None}})
    try:
        pay_by_card(payment["checkout_url"])
        gateway.settle(payment["payment_id"], hours=0.003)
        assert_confirmed_once(gateway, site, booking_id, payment["payment_id"])
    finally:
        gateway.sandbox.control({"webhooks": {"chapa": address}})


def test_twenty_initiations_at_once(gateway: Gateway, site: BookingSite) -> None:
    """Also while the provider is slow: those who come second wait for the page."""
    booking_id = site.booking()
    fault(gateway, "delay", seconds=1, operation="initialize")
    answers = concurrently(20, lambda _: site.initiate(booking_id))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 19}
    (data,) = {json.dumps(answer.body["data"], sort_keys=True) for answer in answers}
    found = gateway.rows("SELECT status FROM payments WHERE order_id = :id", id=booking_id)
    assert [row.status for row in found] == ["processing"]
    pay_by_card(json.loads(data)["checkout_url"])
    assert_confirmed_once(gateway, site, booking_id, json.loads(data)["payment_id"])


def test_a_forged_webhook(gateway: Gateway, site: BookingSite) -> None:
    booking_id, payment = begun(site)
    assert webhook(gateway, payment["transaction_reference"], secret="guessed") == 401
    # One that is signed is asked about: the provider knows of no payment.
    assert webhook(gateway, payment["transaction_reference"]) == 200
    assert mails(gateway, booking_id) == []
    assert site.verify(payment["transaction_reference"]).message == "Payment is pending"
    assert site.status(booking_id) == "pending"


def test_another_amount(gateway: Gateway, site: BookingSite) -> None:
    """Not completed; an operator sees it, and decides."""
    booking_id = site.booking()
    fault(gateway, "wrong_amount", operation="initialize")
    payment = site.initiate(booking_id).body["data"]
    pay_by_card(payment["checkout_url"])
    answer = site.verify(payment["transaction_reference"])
    assert (answer.status, answer.body) == (
        200,
        {
            "status": "success",
            "message": "Payment is pending",
            "data": {
                "payment_id": payment["payment_id"],
                "booking_id": booking_id,
                "payment_status": "pending",
            },
        },
    )
    assert mails(gateway, booking_id) == []
    assert site.status(booking_id) == "pending"
    assert entries(gateway, payment["payment_id"]) == ["suspense"]
    listed = operator(gateway, "payments", "in-review")
    assert payment["payment_id"] in listed and "amount_mismatch" in listed
    again = site.initiate(booking_id)
    assert (again.status, again.body["details"]) == (400, BEING_CHECKED), "the money is here"
    operator(gateway, "payments", "accept-unmatched", payment["payment_id"])
    assert site.verify(payment["transaction_reference"]).message == RICH
    assert len(mails(gateway, booking_id)) == 1


def test_money_that_came_late(gateway: Gateway, site: BookingSite) -> None:
    """The payment had failed, and was collected all the same: the traveller is not asked again before an operator has decided."""
    booking_id, payment = begun(site)
    pay_by_card(payment["checkout_url"], DECLINED_CARD)
    assert site.verify(payment["transaction_reference"]).status == 400
    (attempt,) = gateway.attempts(payment["payment_id"])
    paid = ProviderResult(State.SUCCEEDED, receipt="AP0003", amount=Money(230_400, "ETB"))
    with gateway.app.app_context():
        apply_to_attempt(attempt.id, paid, source="callback")
    assert gateway.payment(payment["payment_id"])["review"] == "late_success"
    answer = site.initiate(booking_id)
    assert (answer.status, answer.body["details"]) == (400, BEING_CHECKED)
    assert site.verify(payment["transaction_reference"]).message == "Payment is pending"
    with gateway.app.app_context():
        apply_to_attempt(attempt.id, ProviderResult(State.REVERSED), source="callback")
    assert site.initiate(booking_id).status == 201


def test_another_currency(gateway: Gateway, site: BookingSite) -> None:
    booking_id, payment = begun(site)
    (attempt,) = gateway.attempts(payment["payment_id"])
    dollars = ProviderResult(State.SUCCEEDED, receipt="AP0002", amount=Money(230_400, "USD"))
    with gateway.app.app_context():
        apply_to_attempt(attempt.id, dollars, source="inquiry")
    assert site.verify(payment["transaction_reference"]).message == "Payment is pending"
    assert gateway.payment(payment["payment_id"])["review"] == "amount_mismatch"
    assert mails(gateway, booking_id) == []
    with gateway.app.app_context():
        # The simulator has collected nothing, and its book is compared with the ledger.
        apply_to_attempt(attempt.id, ProviderResult(State.REVERSED), source="inquiry")


@pytest.mark.parametrize("what", ["before", "drop"])
def test_the_provider_cannot_be_asked(gateway: Gateway, site: BookingSite, what: str) -> None:
    booking_id, payment = begun(site)
    before = gateway.payment(payment["payment_id"]), gateway.attempts(payment["payment_id"])
    fault(gateway, what, operation="verify")
    answer = site.verify(payment["transaction_reference"])
    assert (answer.status, answer.message) == (400, "Failed to verify payment with Chapa")
    assert answer.body.keys() == {"status", "message", "details"}
    assert (gateway.payment(payment["payment_id"]), gateway.attempts(payment["payment_id"])) == before
    assert site.status(booking_id) == "pending"
    gateway.sandbox.forget_rules()
    assert site.verify(payment["transaction_reference"]).message == "Payment is pending"


def test_a_refused_initiation(gateway: Gateway, site: BookingSite) -> None:
    """The provider's sentence is shown; the next one may succeed."""
    booking_id = site.booking()
    fault(gateway, "token_expired", operation="initialize", times=1)
    answer = site.initiate(booking_id)
    assert (answer.status, answer.message) == (400, "Failed to initiate payment with Chapa")
    assert answer.body["details"].startswith("Invalid API Key")
    assert site.initiate(booking_id).status == 201


def test_an_initiation_that_never_arrived(gateway: Gateway, site: BookingSite) -> None:
    """The worker sends it again, and it is the same payment."""
    booking_id = site.booking()
    fault(gateway, "before", status=502, operation="initialize", times=1)
    answer = site.initiate(booking_id)
    assert (answer.status, answer.message) == (400, "Failed to initiate payment with Chapa")
    assert "Nothing was paid" in answer.body["details"]
    gateway.advance(6)
    gateway.run_due()
    again = site.initiate(booking_id)
    assert (again.status, again.message) == (200, "Payment already initiated")
    pay_by_card(again.body["data"]["checkout_url"])
    assert_confirmed_once(gateway, site, booking_id, again.body["data"]["payment_id"])


def test_a_page_that_was_lost(gateway: Gateway, site: BookingSite) -> None:
    """The provider has made the page, and its answer was lost: it is closed, and only then another payment begins."""
    booking_id = site.booking()
    fault(gateway, "drop", operation="initialize", times=1)
    assert site.initiate(booking_id).status == 400
    ((lost,),) = gateway.rows(
        "SELECT a.reference FROM payment_attempts a JOIN payments p ON p.id = a.payment_id WHERE p.order_id = :id",
        id=booking_id,
    )
    again = site.initiate(booking_id)
    assert again.status == 201
    assert again.body["data"]["transaction_reference"] != lost
    failed = site.verify(lost)
    assert (failed.status, failed.message) == (400, "Payment failed or was cancelled")
    assert failed.body["data"]["payment_status"] == "cancelled"
    pay_by_card(again.body["data"]["checkout_url"])
    assert_confirmed_once(gateway, site, booking_id, again.body["data"]["payment_id"])


def test_a_page_that_was_lost_before_the_provider_went_silent(gateway: Gateway, site: BookingSite) -> None:
    """An operator is asked to look, and the traveller, who has had no page, pays as soon as the provider answers again."""
    booking_id = site.booking()
    rules = [
        {"provider": "chapa", "fault": "drop", "operation": "initialize", "times": 1},
        {"provider": "chapa", "fault": "before", "operation": "verify"},
    ]
    gateway.sandbox.control({"rules": rules})
    assert site.initiate(booking_id).status == 400
    ((lost,),) = gateway.rows("SELECT id FROM payments WHERE order_id = :id", id=booking_id)
    for _ in range(8):
        gateway.advance(300)
        gateway.run_due()
    assert gateway.payment(str(lost))["review"] == "outcome_unknown"
    assert site.initiate(booking_id).status == 400
    gateway.sandbox.forget_rules()
    again = site.initiate(booking_id)
    assert again.status == 201
    pay_by_card(again.body["data"]["checkout_url"])
    assert_confirmed_once(gateway, site, booking_id, again.body["data"]["payment_id"])


def test_failure_and_retry(gateway: Gateway, site: BookingSite) -> None:
    """The failed payment's page is closed before the failure is reported, so it cannot be paid as well."""
    booking_id, failed = begun(site)
    pay_by_card(failed["checkout_url"], DECLINED_CARD)
    gateway.quiet()
    gateway.run_due()
    assert gateway.payment(failed["payment_id"])["status"] == "processing", "the page takes another card"
    for _ in range(2):
        answer = site.verify(failed["transaction_reference"])
        assert answer.status == 400
        assert answer.body == {
            "status": "error",
            "message": "Payment failed or was cancelled",
            "data": {"payment_id": failed["payment_id"], "payment_status": "failed"},
        }
    assert events(gateway, failed["payment_id"]).count("payment.failed") == 1
    assert site.status(booking_id) == "pending"
    again = site.initiate(booking_id)
    assert again.status == 201
    requests.post(f"{failed['checkout_url']}/card", data={"number": "4242424242424242"}, timeout=30)
    pay_by_card(again.body["data"]["checkout_url"])
    assert site.verify(again.body["data"]["transaction_reference"]).message == RICH
    assert site.verify(failed["transaction_reference"]).status == 400
    assert_confirmed_once(gateway, site, booking_id, again.body["data"]["payment_id"])


def test_many_verifications_of_a_failed_try(gateway: Gateway, site: BookingSite) -> None:
    """One of them closes the page; the others may find it closed by then, which the provider calls cancelled."""
    booking_id, payment = begun(site)
    pay_by_card(payment["checkout_url"], DECLINED_CARD)
    answers = concurrently(8, lambda _: site.verify(payment["transaction_reference"]))
    assert {answer.status for answer in answers} == {400}
    (data,) = {json.dumps(answer.body["data"]) for answer in answers}
    assert json.loads(data)["payment_status"] in ("failed", "cancelled")
    assert site.initiate(booking_id).status == 201


def test_a_second_card_before_the_verification(gateway: Gateway, site: BookingSite) -> None:
    booking_id, payment = begun(site)
    pay_by_card(payment["checkout_url"], DECLINED_CARD)
    pay_by_card(payment["checkout_url"])
    assert site.verify(payment["transaction_reference"]).message == RICH
    assert_confirmed_once(gateway, site, booking_id, payment["payment_id"])


def test_a_job_that_runs_again_confirms_nothing(gateway: Gateway, site: BookingSite) -> None:
    booking_id, payment = begun(site)
    pay_by_card(payment["checkout_url"])
    mails(gateway, booking_id)

    def confirm(_: int) -> None:
        with gateway.app.app_context():
            confirmation.confirm(uuid.UUID(payment["payment_id"]))

    concurrently(4, confirm)
    assert_confirmed_once(gateway, site, booking_id, payment["payment_id"])


def test_a_suspended_site(gateway: Gateway, site: BookingSite) -> None:
    booking_id = site.booking()
    listing_id = site.call("GET", f"/bookings/{booking_id}/").body["listing_id"]
    operator(gateway, "tenants", "suspend", gateway.tenant_id, "--reason", "test")
    try:
        answer = site.initiate(booking_id)
        assert (answer.status, answer.message) == (400, "Failed to initiate payment with Chapa")
        assert site.book(listing_id, first=30).message == "This site takes no bookings at present"
        assert site.call("GET", f"/listings/{listing_id}/").status == 404
        listed = site.call("GET", "/listings/").body["results"]
        assert listing_id not in [one["listing_id"] for one in listed]
    finally:
        operator(gateway, "tenants", "reactivate", gateway.tenant_id, "--reason", "test")
    assert site.initiate(booking_id).status == 201


def test_the_back_office_takes_the_money(gateway: Gateway, site: BookingSite) -> None:
    """By the Tenant API, for a traveller on the phone: the stay is confirmed, too, and the traveller cannot pay as well."""
    booking_id = site.booking()
    owner = make_member(gateway.app, MerchantClient(gateway.tenant_id, gateway.headers[KEY]), Role.OWNER)
    answer = gateway.app.test_client().post(
        f"/api/v1/orders/{booking_id}/checkout", json={"provider": "chapa"}, headers=owner.headers
    )
    assert answer.status_code == 201, answer.data
    waiting = site.initiate(booking_id)
    assert (waiting.status, waiting.body["details"]) == (400, "The booking is being paid in another way.")
    pay_by_card(answer.json["payment_url"])
    assert_confirmed_once(gateway, site, booking_id, answer.json["id"])


def test_a_traveller_is_not_the_site(gateway: Gateway, site: BookingSite) -> None:
    """A booking's reference verifies no other API's payment, and a site's payment shows in its own list."""
    payment_id = gateway.begin("chapa")
    (attempt,) = gateway.attempts(payment_id)
    assert site.verify(attempt.reference).status == 404
