"""M-Pesa's access tokens: one for all workers, replaced once when it is rejected."""

from __future__ import annotations

import pytest

from app.providers.base import State
from app.providers.errors import AuthFailed, NotSent, OutcomeUnknown, RateLimited
from tests.support.mpesa import (
    CHARGE,
    PUSH,
    PUSHED,
    TOKEN,
    refusal,
    scripted,
)
from tests.support.providers import DROP, HANG, MemoryTokens, Scripted


@pytest.fixture
def daraja():
    with Scripted() as server:
        yield server.on(TOKEN, (200, {"access_token": "token-1", "expires_in": "3599"}))


def test_a_token_is_shared_by_calls_and_by_workers(daraja):
    daraja.on(PUSH, (200, PUSHED))
    tokens = MemoryTokens()
    for _ in range(3):
        scripted(daraja, tokens=tokens).charge(CHARGE)
    assert len(daraja.asked(TOKEN)) == 1 == tokens.fetched


@pytest.mark.parametrize(
    "rejection",
    [
        (404, refusal("404.001.03", "Invalid Access Token")),
        (400, refusal("400.003.01")),
        (401, refusal("401.002.01")),
        (401, refusal("401.001")),
        (401, b""),
        (400, refusal("401.003.01", "Error Occurred - Invalid Access Token - ")),
    ],
)
def test_a_rejected_token_is_replaced_once(daraja, rejection):
    daraja.on(TOKEN, (200, {"access_token": "old", "expires_in": 3599}), (200, {"access_token": "new"}))
    daraja.on(PUSH, rejection, (200, PUSHED))
    assert scripted(daraja).charge(CHARGE).state is State.PENDING
    assert [seen.headers["authorization"] for seen in daraja.asked(PUSH)] == ["Bearer old", "Bearer new"]


def test_rejected_fresh_token_raises_auth_failed(daraja):
    daraja.on(PUSH, (404, refusal("404.001.03", "Invalid Access Token")))
    with pytest.raises(AuthFailed):
        scripted(daraja).charge(CHARGE)
    assert len(daraja.asked(PUSH)) == 2 and len(daraja.asked(TOKEN)) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (
            401,
            refusal(
                "401.003.01",
                "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct match found",
            ),
        ),
        (
            401,
            {
                "fault": {
                    "faultstring": "Invalid API call as no apiproduct match found",
                    "detail": {"errorcode": "keymanagement.service.InvalidAPICallAsNoApiProductMatchFound"},
                }
            },
        ),
    ],
)
def test_an_app_without_the_product_keeps_its_token(daraja, answer):
    daraja.on(PUSH, answer)
    with pytest.raises(AuthFailed, match="lacks the product") as raised:
        scripted(daraja).charge(CHARGE)
    assert "no apiproduct" in raised.value.response["errorMessage"]
    assert len(daraja.asked(PUSH)) == 1 == len(daraja.asked(TOKEN))


def test_the_second_sending_may_be_unknown(daraja):
    daraja.on(PUSH, (401, b""), DROP)
    with pytest.raises(OutcomeUnknown):
        scripted(daraja).charge(CHARGE)
    assert len(daraja.asked(PUSH)) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, b""), AuthFailed),
        ((401, refusal("401.001")), AuthFailed),
        ((400, refusal("400.008.01")), AuthFailed),
        ((429, b""), RateLimited),
        ((500, refusal("500.003.02")), RateLimited),
        ((500, b""), NotSent),
        ((403, b"<html>Request unsuccessful. Incapsula incident ID: 1</html>"), NotSent),
        ((500, {"fault": {"detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"}}}), RateLimited),
        ((503, b"<html>"), NotSent),
        (DROP, NotSent),
        (HANG, NotSent),
        ((200, b"rubbish"), NotSent),
        ((200, {}), NotSent),
        ((200, {"access_token": 5}), NotSent),
        ((302, {"access_token": "t"}), NotSent),
    ],
)
def test_without_a_token_nothing_was_sent(daraja, answer, error):
    daraja.on(TOKEN, answer)
    daraja.on(PUSH, (200, PUSHED))
    with pytest.raises(error) as raised:
        scripted(daraja, timeout_s=1.0).charge(CHARGE)
    assert type(raised.value) is error
    assert not daraja.asked(PUSH)


@pytest.mark.parametrize("expires_in", [None, "soon", -5, True, {}])
def test_an_unreadable_life_is_the_documented_one(daraja, expires_in):
    daraja.on(TOKEN, (200, {"access_token": "token-1", "expires_in": expires_in}))
    daraja.on(PUSH, (200, PUSHED))
    provider = scripted(daraja)
    provider.charge(CHARGE)
    provider.charge(CHARGE)
    assert len(daraja.asked(TOKEN)) == 1


def test_another_app_gets_a_token_of_its_own(daraja):
    daraja.on(PUSH, (200, PUSHED))
    tokens = MemoryTokens()
    scripted(daraja, tokens=tokens).charge(CHARGE)
    scripted(daraja, tokens=tokens, consumer_key="another").charge(CHARGE)
    assert len(daraja.asked(TOKEN)) == 2
