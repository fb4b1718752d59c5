"""Callbacks: about what, signed or not, repeated, early, late, lost, out of order, forged, unreadable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.money import Money, exponent_of
from app.providers.base import Callback, CallbackEvent, ChargeRequest, Kind, ProviderResult, State
from app.providers.errors import CallbackError, ForgedCallback
from tests.providers.contract.scenario import ContractScenario
from tests.support.waiting import wait_until

JUNK = (
    b"",
    b" ",
    b"{",
    b"{}",
    b"[]",
    b"null",
    b"1",
    b'"text"',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b'{"event":null,"data":null}',
    b'{"event":{},"data":[]}',
    b'{"id":1,"type":2,"data":{"object":3}}',
    b'{"Body":{"stkCallback":null}}',
    b'{"Result":{"ResultCode":[]}}',
    b'{"OrderTrackingId":{}}',
    b"a=1&b=2",
    b'{"amount":1e999999}',
    b'{"amount":NaN}',
    b'{"reference":"\\u0000\\ud800"}',
)


def callback_of(
    scenario: ContractScenario, request: ChargeRequest, result: ProviderResult | None = None
) -> Callback:
    """A signed one where callbacks are signed."""
    if scenario.case.callback:
        return scenario.case.callback(scenario.provider, request)
    known = result.provider_reference if result else None

    def signed() -> Callback | None:
        found = scenario.received_callbacks(request.callback_url, Kind.PAYMENT, request.reference, known)
        good = [one for one in found if one.event.is_verified or not scenario.can.signs_callbacks]
        return good[0].callback if good else None

    return wait_until(signed, "a callback about the payment comes")


def paid(scenario: ContractScenario) -> tuple[ChargeRequest, ProviderResult]:
    request = scenario.request()
    result = scenario.charge(request)
    scenario.becomes(scenario.charge_reference(request, result), State.SUCCEEDED)
    return request, result


def must_be_about(
    scenario: ContractScenario, event: CallbackEvent, request: ChargeRequest, result: ProviderResult | None
) -> None:
    assert event.kind is Kind.PAYMENT
    assert event.reference == request.reference or (
        result is not None and event.provider_reference == result.provider_reference
    )
    assert 0 < len(event.event_id) <= 255
    assert event.event_type


def test_a_callback_names_the_payment(scenario: ContractScenario) -> None:
    request, result = paid(scenario)
    seen = len(scenario.environment.fault_proxy.seen)
    callback = callback_of(scenario, request, result)
    event = scenario.provider.read_callback(callback)
    assert len(scenario.environment.fault_proxy.seen) == seen, "reading sends no request"
    kept = {
        name: callback.headers[name] for name in scenario.provider.callback_headers & set(callback.headers)
    }
    assert scenario.provider.read_callback(replace(callback, headers=kept)) == event, (
        "other headers are not stored"
    )
    must_be_about(scenario, event, request, result)
    assert event.is_verified is scenario.can.signs_callbacks
    if event.reported:
        scenario.checked(event.reported)
        assert event.reported.amount in (None, request.amount)


def test_unsigned_callback_is_ignored_at_another_url(remote: ContractScenario) -> None:
    """It may claim something only when it came to the payment's own secret URL."""
    request, result = paid(remote)
    remote.quiet()
    secret = request.callback_url.rpartition("/")[2]
    for received in remote.received_callbacks(
        request.callback_url, Kind.PAYMENT, request.reference, result.provider_reference
    ):
        event = received.event
        assert event.is_verified or event.reported is None or secret in received.path
        if not remote.can.signs_callbacks:
            assert not event.is_verified


def test_a_callback_makes_the_same_event_each_time_and_another_payment_another(
    scenario: ContractScenario,
) -> None:
    request, result = paid(scenario)
    callback = callback_of(scenario, request, result)
    first, again = (scenario.provider.read_callback(callback).event_id for _ in range(2))
    assert first == again
    other, other_result = paid(scenario)
    assert scenario.provider.read_callback(callback_of(scenario, other, other_result)).event_id != first


def test_a_callback_that_comes_three_times_is_one_event(remote: ContractScenario) -> None:
    remote.fault("charge", "callback_copies", copies=3)
    request, result = paid(remote)

    def copies() -> bool:
        found = remote.received_callbacks(
            request.callback_url, Kind.PAYMENT, request.reference, result.provider_reference
        )
        by_id: dict[str, int] = {}
        for one in found:
            by_id[one.event.event_id] = by_id.get(one.event.event_id, 0) + 1
        return max(by_id.values(), default=0) >= 3

    wait_until(copies, "three callbacks with one event id come")
    remote.must_have_charged(request, request.amount)


def test_a_callback_may_come_before_the_answer(remote: ContractScenario) -> None:
    remote.fault("charge", "callback_early")
    request = remote.request()
    result = remote.charge(request)
    # It is here already: the simulator delivered it before it answered.
    found = remote.received_callbacks(
        request.callback_url, Kind.PAYMENT, request.reference, result.provider_reference
    )
    assert found
    must_be_about(remote, found[0].event, request, result)
    remote.becomes(remote.charge_reference(request, result), State.SUCCEEDED)
    remote.must_have_charged(request, request.amount)


def test_inquiry_finds_the_outcome_without_a_callback(remote: ContractScenario) -> None:
    remote.fault("charge", "callback_lost")
    request, result = paid(remote)
    remote.quiet()
    assert not remote.received_callbacks(
        request.callback_url, Kind.PAYMENT, request.reference, result.provider_reference
    )


def test_callbacks_out_of_order_do_not_change_the_inquiry(remote: ContractScenario) -> None:
    remote.fault("charge", "callback_reorder")
    request, result = paid(remote)
    remote.quiet()
    assert remote.inquire(remote.charge_reference(request, result)).state is State.SUCCEEDED


def test_mismatched_amount_is_reported_unchanged(scenario: ContractScenario) -> None:
    request = scenario.charge_that("wrong_amount")
    result = scenario.charge(request)
    more = request.amount + Money(10 ** exponent_of(request.amount.currency), request.amount.currency)
    found = scenario.becomes(scenario.charge_reference(request, result), State.SUCCEEDED)
    if found.amount is None:
        reported = scenario.event(request.callback_url, Kind.PAYMENT, request.reference).reported
        assert reported is not None
        found = reported
    assert found.amount == more


def test_acknowledged_callback_is_not_repeated(remote: ContractScenario) -> None:
    request, result = paid(remote)
    remote.quiet()
    callback_of(remote, request, result)
    token = request.callback_url.rpartition("/")[2]
    ours = [
        one
        for one in remote.environment.sandbox.callbacks(remote.case.name)
        if token in one["url"] or request.reference in one["body"] or request.reference in one["url"]
    ]
    assert ours
    assert {one["status"] for one in ours} == {"delivered"}, ours
    assert all(one["attempts"] == 1 for one in ours)


@pytest.mark.parametrize("forgery", ["another body", "another secret", "no signature", "another signature"])
def test_a_forged_callback_is_refused(scenario: ContractScenario, forgery: str) -> None:
    if not scenario.can.signs_callbacks:
        pytest.skip("not this provider's: the provider signs nothing: its callbacks are hints")
    good = callback_of(scenario, *paid(scenario))
    reader = scenario.provider
    bad = good
    if forgery == "another body":
        bad = replace(good, body=good.body[:-1] + b" }")
    if forgery == "another secret":
        secrets = {one.name: "another-secret" for one in scenario.case.provider.settings if one.is_secret}
        reader = scenario.make(**secrets)
    if forgery == "no signature":
        bad = replace(good, headers={})
    if forgery == "another signature":
        names = scenario.provider.callback_headers & set(good.headers)
        assert names
        bad = replace(
            good, headers=good.headers | {name: good.headers[name][:-6] + "abcdef" for name in names}
        )
    assert reader.read_callback(good) if forgery != "another secret" else True
    with pytest.raises(ForgedCallback):
        reader.read_callback(bad)


def test_empty_secret_accepts_no_signature(scenario: ContractScenario) -> None:
    """Any sender can sign with an empty secret."""
    if scenario.can.signs_callbacks:
        good = callback_of(scenario, *paid(scenario))
        keyless = scenario.make(
            **{
                one.name: ""
                for one in scenario.case.provider.settings
                if (one.is_secret and "key" not in one.name) or one.name == "secret_key"
            }
        )
        with pytest.raises(ForgedCallback):
            keyless.read_callback(good)


def test_unreadable_callback_is_refused(scenario: ContractScenario) -> None:
    for body in JUNK:
        for method in ("POST", "GET"):
            with pytest.raises(CallbackError):
                scenario.provider.read_callback(Callback(method, {}, {}, body))


def test_every_callback_of_the_suite_could_be_read(remote: ContractScenario) -> None:
    paid(remote)
    remote.quiet()
    assert remote.environment.inbox.refused == []
