"""CPay, the mock provider: a function of the request."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import EXPONENTS, Money, exponent_of
from app.providers import PROVIDERS
from app.providers.base import (
    Account,
    Callback,
    ChargeReference,
    ChargeRequest,
    Customer,
    Kind,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.cpay import CPayProvider
from app.providers.cpay.triggers import CHARGES, REFUNDS, Fate, fate_of_charge, fate_of_refund
from app.providers.errors import (
    AuthFailed,
    Declined,
    ForgedCallback,
    InvalidCallback,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from tests.support.providers import make_provider

REFERENCE = "0198c0de-0000-7000-8000-000000000001"
PROVIDER = make_provider(CPayProvider, api_key="cpay-sandbox-key", api_secret="cpay-sandbox-secret")


def money(major: str, currency: str = "USD") -> Money:
    return Money.parse(major, currency)


def request(amount: Money, **metadata: Any) -> ChargeRequest:
    return ChargeRequest(
        REFERENCE,
        "AB12CD34EF56",
        amount,
        Customer(),
        "http://127.0.0.1/c",
        "http://127.0.0.1/r",
        metadata=metadata,
    )


def charge_reference(amount: Money, reported: ProviderResult | None = None) -> ChargeReference:
    """As a charge is remembered after an answer; without one, as after none."""
    known = reported or ProviderResult(State.PENDING)
    return ChargeReference(
        REFERENCE,
        "AB12CD34EF56",
        amount,
        datetime(2026, 1, 1, tzinfo=UTC),
        known.provider_reference,
        known.receipt,
    )


def refund(amount: Money, of: Money, *, before: int = 0) -> RefundRequest:
    return RefundRequest("refund-1", amount, charge_reference(of), "Broken", "http://x", before)


# --- charges


def test_a_charge_succeeds_at_once_and_is_the_same_again() -> None:
    result = PROVIDER.charge(request(money("49.99")))
    assert (result.state, result.amount) == (State.SUCCEEDED, money("49.99"))
    assert result.provider_reference == result.receipt == "CPAY-" + result.provider_reference[5:]
    assert len(result.provider_reference) == 17 and not set(result.provider_reference[5:]) - set(
        "0123456789ABCDEF"
    )
    assert PROVIDER.charge(request(money("49.99"))) == result
    for known in (None, result):
        assert PROVIDER.inquire(charge_reference(money("49.99"), known)) == result
    other = replace(request(money("49.99")), reference="another-reference")
    assert PROVIDER.charge(other).provider_reference != result.provider_reference
    keyed = make_provider(CPayProvider, api_key="k", api_secret="other")
    assert keyed.charge(request(money("49.99"))).provider_reference != result.provider_reference


@pytest.mark.parametrize(
    ("major", "currency", "code"),
    [
        ("13.00", "USD", "card_declined"),
        ("113.00", "USD", "card_declined"),
        ("113", "JPY", "card_declined"),
        ("113.000", "KWD", "card_declined"),
        ("66.60", "USD", "insufficient_funds"),
        ("166.60", "KES", "insufficient_funds"),
        ("66.600", "KWD", "insufficient_funds"),
        ("9100.00", "USD", "amount_exceeds_limit"),
        ("10000", "JPY", "amount_exceeds_limit"),
        ("9013.00", "USD", "card_declined"),
        ("7101", "KES", "insufficient_funds"),
        ("7102", "KES", "cancelled"),
        ("7104", "JPY", "card_declined"),
    ],
)
def test_amounts_that_are_declined(major: str, currency: str, code: str) -> None:
    with pytest.raises(Declined) as caught:
        PROVIDER.charge(request(money(major, currency)))
    assert (caught.value.code, caught.value.response["failure_reason"]) == (code, code)
    assert PROVIDER.inquire(charge_reference(money(major, currency))).state is State.NOT_FOUND


@pytest.mark.parametrize(
    ("major", "currency"),
    [
        ("13.01", "USD"),
        ("14.00", "USD"),
        ("9000.00", "USD"),
        ("9100.01", "USD"),
        ("113.005", "KWD"),
        ("66.61", "USD"),
        ("666", "JPY"),
        ("7001.01", "USD"),
        ("8900", "JPY"),
    ],
)
def test_amounts_beside_them_are_not(major: str, currency: str) -> None:
    assert PROVIDER.charge(request(money(major, currency))).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("major", "error", "found"),
    [
        ("7001", OutcomeUnknown, State.SUCCEEDED),
        ("7002", OutcomeUnknown, State.SUCCEEDED),
        ("7003", OutcomeUnknown, State.NOT_FOUND),
        ("7010", RateLimited, State.NOT_FOUND),
        ("7120", NotSent, State.NOT_FOUND),
        ("7121", AuthFailed, State.NOT_FOUND),
        ("7122", OutcomeUnknown, None),
        ("7123", RequestRejected, State.NOT_FOUND),
    ],
)
def test_amounts_that_go_wrong(major: str, error: type[ProviderError], found: State | None) -> None:
    with pytest.raises(ProviderError) as caught:
        PROVIDER.charge(request(money(major)))
    assert type(caught.value) is error
    if found is None:
        with pytest.raises(OutcomeUnknown):
            PROVIDER.inquire(charge_reference(money(major)))
    else:
        assert PROVIDER.inquire(charge_reference(money(major))).state is found


def test_the_wrong_amount_is_taken() -> None:
    for currency in ("USD", "JPY", "KWD"):
        taken = PROVIDER.charge(request(money("7009", currency))).amount
        assert taken == money("7010", currency)
        assert PROVIDER.inquire(charge_reference(money("7009", currency))).amount == taken


def test_a_payment_can_be_made_to_wait() -> None:
    waiting = PROVIDER.charge(request(money("20.00"), simulate="pending"))
    assert (waiting.state, waiting.provider_reference) == (State.PENDING, None)
    known = charge_reference(money("20.00"), waiting)
    assert PROVIDER.inquire(known) == waiting
    cancelled = PROVIDER.cancel(known)
    assert cancelled.state is State.CANCELLED
    assert PROVIDER.inquire(charge_reference(money("20.00"), cancelled)).state is State.CANCELLED
    assert PROVIDER.charge(request(money("7103"))).state is State.PENDING
    assert PROVIDER.inquire(charge_reference(money("7103"))).state is State.PENDING
    paid = PROVIDER.charge(request(money("20.00"), simulate="anything else"))
    assert paid.state is State.SUCCEEDED
    assert PROVIDER.cancel(charge_reference(money("20.00"), paid)).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("event", "amount", "state"),
    [
        ("payment.completed", "20.00", State.SUCCEEDED),
        ("payment.failed", "20.00", State.FAILED),
        ("payment.cancelled", "20.00", State.CANCELLED),
        ("payment.completed", "1.00", None),
    ],
)
@pytest.mark.parametrize("major", ["20.00", "7103"])
def test_a_signed_callback_ends_the_wait(event: str, amount: str, state: State | None, major: str) -> None:
    """What the callback says is what an inquiry says from then on; of another amount it is not believed."""
    reported = amount if amount != "20.00" else major
    waiting = PROVIDER.charge(request(money(major), simulate="pending"))
    callback = PROVIDER.read_callback(
        signed(json.dumps({**EVENT, "event": event, "amount": reported}).encode())
    )
    after = replace(charge_reference(money(major), waiting), provider_reference=callback.provider_reference)
    if state is None:
        with pytest.raises(OutcomeUnknown):
            PROVIDER.inquire(after)
    else:
        assert PROVIDER.inquire(after).state is state


def test_live_account_is_not_simulated() -> None:
    live = CPayProvider(
        Account("a", "live", "in-process", {"api_key": "k", "api_secret": "s"}), PROVIDER.context
    )
    assert live.charge(request(money("20.00"), simulate="pending")).state is State.SUCCEEDED


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(1, 10**12))
def test_charge_and_inquiry_agree(currency: str, minor: int) -> None:
    amount = Money(minor, currency)
    try:
        reported = PROVIDER.charge(request(amount))
    except Declined:
        assert PROVIDER.inquire(charge_reference(amount)).state is State.NOT_FOUND
    except ProviderError:
        assert minor in {whole * 10 ** exponent_of(currency) for whole in CHARGES}
    else:
        assert PROVIDER.inquire(charge_reference(amount, reported)) == reported


def test_every_simulated_outcome_is_in_the_table() -> None:
    assert {fate for fate, _ in CHARGES.values()} | {Fate.SUCCEEDS} == set(Fate)
    assert set(CHARGES) & set(REFUNDS) == set(), "a charge that went wrong cannot be refunded by mistake"
    assert all(fate_of_refund(money(str(whole)))[0] is Fate.SUCCEEDS for whole in CHARGES)
    assert all(fate_of_charge(money(str(whole)))[0] is Fate.SUCCEEDS for whole in REFUNDS)


# --- refunds


def test_refunds_succeed_at_once_and_in_parts() -> None:
    result = PROVIDER.refund(refund(money("13.00"), money("49.99"), before=3000))
    assert (result.state, result.amount) == (State.SUCCEEDED, money("13.00"))
    assert result.provider_reference is not None and result.provider_reference.startswith("REF-")
    asked = RefundReference(
        "refund-1", money("13.00"), charge_reference(money("49.99")), datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert PROVIDER.inquire_refund(asked) == result
    for amount, before in ((money("50.00"), 0), (money("20.00"), 3000), (money("1", "KES"), 0)):
        with pytest.raises(RequestRejected):
            PROVIDER.refund(refund(amount, money("49.99"), before=before))


@pytest.mark.parametrize(
    ("major", "error", "found"),
    [
        ("7221", OutcomeUnknown, State.SUCCEEDED),
        ("7223", OutcomeUnknown, State.NOT_FOUND),
        ("7224", Declined, State.NOT_FOUND),
    ],
)
def test_refunds_that_go_wrong(major: str, error: type[ProviderError], found: State) -> None:
    with pytest.raises(error):
        PROVIDER.refund(refund(money(major), money("8000.01")))
    asked = RefundReference(
        "refund-1", money(major), charge_reference(money("8000.01")), datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert PROVIDER.inquire_refund(asked).state is found


# --- callbacks

EVENT = {
    "event": "payment.completed",
    "event_id": "evt-1",
    "transaction_id": "CPAY-0123456789AB",
    "reference": REFERENCE,
    "status": "completed",
    "amount": "20.00",
    "currency": "USD",
}


def signed(body: bytes) -> Callback:
    return Callback("POST", {"x-cpay-signature": PROVIDER.sign(body)}, {}, body)


@pytest.mark.parametrize(
    ("word", "kind", "state"),
    [
        ("payment.completed", Kind.PAYMENT, State.SUCCEEDED),
        ("payment.failed", Kind.PAYMENT, State.FAILED),
        ("payment.cancelled", Kind.PAYMENT, State.CANCELLED),
        ("refund.completed", Kind.REFUND, State.SUCCEEDED),
        ("something.else", Kind.OTHER, None),
    ],
)
def test_callbacks(word: str, kind: Kind, state: State | None) -> None:
    event = PROVIDER.read_callback(signed(json.dumps({**EVENT, "event": word}).encode()))
    assert (event.kind, event.event_type, event.event_id) == (kind, word, "evt-1")
    assert (event.reference, event.is_verified) == (REFERENCE, True)
    assert (event.reported.state if event.reported else None) is state
    assert event.reported is None or event.reported.amount == money("20.00")


def test_the_signature_is_hmac_sha256_of_the_raw_body() -> None:
    provider = make_provider(CPayProvider, api_key="k", api_secret="key")
    body = b"The quick brown fox jumps over the lazy dog"
    assert provider.sign(body) == "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"


def test_forged_and_odd_callbacks() -> None:
    body = json.dumps(EVENT).encode()
    good = PROVIDER.sign(body)
    for headers, sent in (
        ({}, body),
        ({"x-cpay-signature": ""}, body),
        ({"x-cpay-signature": good[:-1] + "é"}, body),
        ({"x-cpay-signature": good}, body + b" "),
        ({"x-cpay-signature": good.upper() + "0"}, body),
    ):
        with pytest.raises(ForgedCallback):
            PROVIDER.read_callback(Callback("POST", headers, {}, sent))
    with pytest.raises(ForgedCallback):
        keyless = make_provider(CPayProvider)
        keyless.read_callback(Callback("POST", {"x-cpay-signature": keyless.sign(body)}, {}, body))
    for odd in (
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        json.dumps({**EVENT, "event_id": ""}).encode(),
        json.dumps({**EVENT, "event_id": "x" * 256}).encode(),
        json.dumps({**EVENT, "reference": ""}).encode(),
        json.dumps({**EVENT, "amount": None}).encode(),
        json.dumps({**EVENT, "currency": "XXX"}).encode(),
        json.dumps({**EVENT, "amount": "NaN"}).encode(),
        b'{"event":"payment.completed","event_id":"e","amount":NaN,"currency":"USD"}',
    ):
        with pytest.raises(InvalidCallback):
            PROVIDER.read_callback(signed(odd))
    number = PROVIDER.read_callback(signed(body.replace(b'"20.00"', b"20.00")))
    assert number.reported is not None and number.reported.amount == money("20.00")


def test_cpay_is_registered() -> None:
    assert PROVIDERS["cpay"] is CPayProvider
    assert set(CPayProvider.capabilities.currencies) == set(EXPONENTS)
