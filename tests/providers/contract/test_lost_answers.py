"""Answers that are lost: what is unknown is called unknown, the truth is found, and nothing is charged twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.providers.base import ChargeReference, ChargeRequest, Kind, Result, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    RequestRejected,
)
from tests.providers.contract.meddler import hung_up, instead
from tests.providers.contract.operations import OPERATIONS, prepare, run, supports
from tests.providers.contract.scene import NOBODY, Scene
from tests.support.providers import MemoryTokens

DONE = [("drop", {}), ("after", {"status": 500}), ("after", {"status": 503})]


def found_again(scene: Scene, request: ChargeRequest) -> ChargeReference:
    """The charge, as an inquiry or a callback names it after its answer was lost."""
    lost = scene.handle(request)
    if scene.can.can_inquire_by_reference:
        return lost
    with scene.refused(OutcomeUnknown):
        scene.inquire(lost)
    event = scene.event(request.callback_url, Kind.PAYMENT, request.reference)
    assert event.provider_reference
    return replace(lost, provider_reference=event.provider_reference)


@pytest.mark.parametrize(("fault", "more"), DONE)
def test_done_but_the_answer_was_lost(scene: Scene, fault: str, more: dict[str, int]) -> None:
    request = scene.charge_that(fault, **more)
    with scene.refused(OutcomeUnknown):
        scene.charge(request)
    found = scene.becomes(found_again(scene, request), State.SUCCEEDED)
    assert found.amount in (None, request.amount)
    scene.must_have_charged(request, request.amount)


@pytest.mark.parametrize("status", [500, 503])
def test_not_done_and_nobody_said_so(scene: Scene, status: int) -> None:
    request = scene.charge_that("before", status=status)
    with scene.refused(OutcomeUnknown):
        scene.charge(request)
    lost = scene.handle(request)
    if scene.can.can_inquire_by_reference:
        assert scene.inquire(lost).state is State.NOT_FOUND
    else:
        with scene.refused(OutcomeUnknown):
            scene.inquire(lost)
    scene.must_have_charged(request)


def test_the_answer_took_too_long_and_it_was_done(remote: Scene) -> None:
    remote.paid_once  # noqa: B018 a token is there, so that the push itself is what takes long
    request = remote.charge_that("delay", seconds=1)
    with remote.refused(OutcomeUnknown):
        remote.charge(request, remote.make(timeout_s=0.3))
    # The simulator's view goes on after the caller has left.
    remote.becomes(found_again_in_time(remote, request), State.SUCCEEDED)
    remote.must_have_charged(request, request.amount)


def found_again_in_time(scene: Scene, request: ChargeRequest) -> ChargeReference:
    if not scene.can.can_inquire_by_reference:
        return found_again(scene, request)
    lost = scene.handle(request)
    scene.becomes(lost, State.PENDING, State.SUCCEEDED)
    return lost


@pytest.mark.parametrize("fault", ["none", "drop", "before"])
def test_the_same_reference_charges_once(scene: Scene, fault: str) -> None:
    """After an answer, after a lost one, and after a request that came to nothing."""
    if not scene.can.is_resend_safe:
        pytest.skip(
            "not this provider's: the provider's idempotency is not vouched for, so nothing is ever sent again"
        )
    request = scene.request() if fault == "none" else scene.charge_that(fault)
    first: Result | None = None
    if fault == "none":
        first = scene.charge(request)
    else:
        with scene.refused(OutcomeUnknown):
            scene.charge(request)
    if not scene.case.is_remote:
        if first:
            assert scene.charge(request) == first
        return
    again = scene.repeat(lambda: scene.provider.charge(request))
    if first and again:
        assert again.provider_reference == first.provider_reference
    scene.becomes(scene.handle(request, again), State.SUCCEEDED)
    scene.repeat(lambda: scene.provider.charge(request))
    scene.must_have_charged(request, request.amount)


def test_a_known_reference_for_another_amount_is_never_a_second_charge(remote: Scene) -> None:
    if remote.can.is_resend_safe:
        request = remote.request()
        told = remote.charge(request)
        other = replace(request, amount=request.amount + request.amount)
        with remote.refused(DuplicateReference):
            remote.charge(other)
        remote.becomes(remote.handle(request, told), State.SUCCEEDED)
        remote.must_have_charged(request, request.amount)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nobody_listens_so_nothing_was_sent(remote: Scene, operation: str) -> None:
    if not supports(remote, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    away = remote.make(base_url=NOBODY, timeout_s=1, connect_timeout_s=1)
    with remote.refused(NotSent):
        run(remote, operation, away)


def test_cpay_s_own_ways_of_not_being_there(scene: Scene) -> None:
    if not scene.case.is_remote:
        for fault, error in (("unreachable", NotSent), ("wrong_credentials", AuthFailed)):
            request = scene.charge_that(fault)
            with scene.refused(error):
                scene.charge(request)
            scene.must_have_charged(request)


@pytest.mark.parametrize(
    "meddling", [instead(500, b"{}"), instead(200, b"<html>"), instead(200, b'{"token": null}'), hung_up]
)
def test_no_token_means_that_nothing_was_sent(remote: Scene, meddling) -> None:
    if "token" not in remote.case.paths:
        pytest.skip("not this provider's: the provider has no tokens")
    remote.theatre.meddler.meddle(remote.case.paths["token"], meddling)
    request = remote.request()
    with remote.refused(NotSent):
        remote.charge(request, remote.make(tokens=MemoryTokens()))
    assert remote.theatre.meddler.count(remote.case.paths["charge"]) == 0
    remote.must_have_charged(request)


@pytest.mark.parametrize("meddling", [hung_up, instead(500, b"{}"), instead(503, b"busy")])
def test_a_lost_answer_to_a_question_tells_nothing(remote: Scene, meddling) -> None:
    paid = remote.paid_once
    remote.theatre.meddler.meddle(remote.case.paths["inquire"], meddling)
    with remote.refused(OutcomeUnknown):
        remote.inquire(paid)


@pytest.mark.parametrize("operation", ["inquire", "inquire_refund", "inquire_payout", "statement"])
def test_a_refused_question_is_no_refused_charge(remote: Scene, operation: str) -> None:
    """Whatever the provider refuses to tell: never a failure of what was asked after, nor its absence."""
    if not supports(remote, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    prepare(remote, operation)
    status, body = remote.case.refusal
    remote.theatre.meddler.meddle(remote.case.paths[operation], instead(status, json.dumps(body).encode()))
    with remote.refused(OutcomeUnknown):
        run(remote, operation, remote.provider)


@pytest.mark.parametrize("operation", ["charge", "refund", "pay_out"])
def test_a_refusal_in_the_provider_s_own_words_is_a_definite_no(remote: Scene, operation: str) -> None:
    if not supports(remote, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    prepare(remote, operation)
    status, body = remote.case.refusal
    remote.theatre.meddler.meddle(remote.case.paths[operation], instead(status, json.dumps(body).encode()))
    with remote.refused(RequestRejected, Declined):
        run(remote, operation, remote.provider)
