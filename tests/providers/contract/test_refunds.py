"""Refunds: whole, in parts, again, too much, lost; whatever the capabilities say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.money import Money
from app.providers.base import Kind, ProviderResult, RefundRequest, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    NotSupported,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReceiptMissing,
    RequestRejected,
)
from tests.providers.contract.scenario import ContractScenario
from tests.support.providers import MemoryTokens

NO = (RequestRejected, Declined)


@pytest.fixture(autouse=True)
def refunds_are_declared(request: pytest.FixtureRequest) -> None:
    """What does not refund says so: test_safety.py."""
    name = "scenario" if "scenario" in request.fixturenames else "remote"
    scenario: ContractScenario = request.getfixturevalue(name)
    if not scenario.can.can_refund:
        pytest.skip("not this provider's: it cannot refund")


def refunded(scenario: ContractScenario, request: RefundRequest) -> ProviderResult:
    reported = scenario.checked(scenario.provider.refund(request))
    assert reported.state in (State.PENDING, State.SUCCEEDED)
    assert reported.amount in (None, request.amount)
    done = scenario.refund_ends(request, reported)
    assert done.state is State.SUCCEEDED
    assert done.amount in (None, request.amount)
    return reported


def third(amount: Money) -> Money:
    whole = amount.amount_minor // 300 * 100
    return Money(whole, amount.currency)


def test_full_refund(scenario: ContractScenario) -> None:
    paid = scenario.paid()
    request = scenario.refund_of(paid)
    reported = refunded(scenario, request)
    assert reported.provider_reference
    scenario.must_have_refunded([request], paid.amount)
    if scenario.case.is_remote:
        assert scenario.inquire(paid).state in (State.SUCCEEDED, State.REVERSED, State.REFUNDED)


def test_partial_refund_succeeds_or_is_refused_before_sending(scenario: ContractScenario) -> None:
    paid = scenario.paid()
    request = scenario.refund_of(paid, third(paid.amount))
    if scenario.can.can_refund_partially:
        refunded(scenario, request)
        scenario.must_have_refunded([request], request.amount)
        return
    with scenario.refused(RequestRejected):
        scenario.provider.refund(request)
    scenario.must_have_refunded([request])


def test_second_partial_refund_succeeds_or_is_refused(scenario: ContractScenario) -> None:
    if not scenario.can.can_refund_partially:
        pytest.skip("not this provider's: there are no parts")
    paid = scenario.paid()
    part = third(paid.amount)
    first = scenario.refund_of(paid, part)
    refunded(scenario, first)
    second = scenario.refund_of(paid, part, before=part.amount_minor)
    if scenario.can.can_refund_repeatedly:
        reported = refunded(scenario, second)
        assert reported.provider_reference
        scenario.must_have_refunded([first, second], part, part)
        return
    with scenario.refused(*NO):
        scenario.provider.refund(second)
    scenario.must_have_refunded([first, second], part)


def test_refunds_never_exceed_the_payment(scenario: ContractScenario) -> None:
    paid = scenario.paid()
    unit = Money(100, paid.amount.currency)
    request = scenario.refund_of(paid, paid.amount + unit)
    with scenario.refused(*NO):
        scenario.provider.refund(request)
    scenario.must_have_refunded([request])


def test_fully_refunded_payment_is_not_refunded_again(scenario: ContractScenario) -> None:
    """Whatever the provider answers to a second whole refund: its book holds one."""
    paid = scenario.paid()
    first = scenario.refund_of(paid)
    refunded(scenario, first)
    second = scenario.refund_of(paid, before=paid.amount.amount_minor)
    with scenario.refused(*NO):
        scenario.provider.refund(second)
    scenario.must_have_refunded([first, second], paid.amount)


def test_the_same_refund_sent_twice_moves_once(scenario: ContractScenario) -> None:
    paid = scenario.paid()
    request = scenario.refund_of(paid)
    scenario.checked(scenario.provider.refund(request))
    try:
        again = scenario.checked(scenario.provider.refund(request))
    except (Declined, RequestRejected, DuplicateReference) as error:
        scenario.must_be_clean(error.response)
    else:
        assert again.state is not State.FAILED
    scenario.must_have_refunded([request], paid.amount)


def test_unknown_payment_is_not_refunded(remote: ContractScenario) -> None:
    request, charge = remote.waiting()
    refund = remote.refund_of(charge)
    with remote.refused(*NO, ReceiptMissing):
        remote.provider.refund(refund)
    remote.must_have_refunded([refund])
    remote.must_have_charged(request)


@pytest.mark.parametrize(("fault", "more"), [("drop", {}), ("after", {"status": 500})])
def test_refund_made_with_a_lost_answer(remote: ContractScenario, fault: str, more: dict[str, int]) -> None:
    """It is found, or it stays unknown: never failed, never not there."""
    paid = remote.paid()
    request = remote.refund_of(paid)
    remote.fault("refund", fault, **more)
    with remote.refused(OutcomeUnknown):
        remote.provider.refund(request)
    if Kind.REFUND not in remote.can.inquiry_kinds:
        with remote.refused(OutcomeUnknown):
            remote.provider.inquire_refund(remote.refund_reference(request))
    assert remote.refund_ends(request, None).state is State.SUCCEEDED
    remote.must_have_refunded([request], paid.amount)


def test_refund_not_made_with_a_lost_answer(remote: ContractScenario) -> None:
    paid = remote.paid()
    request = remote.refund_of(paid)
    remote.fault("refund", "before", status=500)
    with remote.refused(OutcomeUnknown):
        remote.provider.refund(request)
    try:
        found = remote.checked(remote.provider.inquire_refund(remote.refund_reference(request)))
    except OutcomeUnknown as error:
        remote.must_be_clean(error.response)
    else:
        assert found.state is State.NOT_FOUND
    remote.must_have_refunded([request])


@pytest.mark.parametrize(
    ("fault", "state"), [("refund_drop", State.SUCCEEDED), ("refund_before", State.NOT_FOUND)]
)
def test_lost_refunds_in_this_process(scenario: ContractScenario, fault: str, state: State) -> None:
    if scenario.case.is_remote:
        pytest.skip("not this provider's: the simulators are asked in the tests above")
    paid = scenario.paid(scenario.amount("8000.01"))
    request = scenario.refund_of(paid, scenario.amount(scenario.case.amounts[fault]))
    with scenario.refused(OutcomeUnknown):
        scenario.provider.refund(request)
    assert (
        scenario.checked(scenario.provider.inquire_refund(scenario.refund_reference(request))).state is state
    )


def test_rate_limited_or_unauthorized_refund_moves_nothing(
    remote: ContractScenario,
) -> None:
    request = remote.refund_of(remote.paid())
    remote.fault("refund", "rate_limit")
    with remote.refused(RateLimited):
        remote.provider.refund(request)
    unauthorized = remote.make(tokens=MemoryTokens(), **remote.case.wrong_settings)
    with remote.refused(AuthFailed):
        unauthorized.refund(request)
    remote.must_have_refunded([request])
    assert refunded(remote, request)
    remote.must_have_refunded([request], request.amount)


def test_a_refund_knows_nothing_of_another(remote: ContractScenario) -> None:
    """The first refund's reference never answers about the second."""
    if not (remote.can.can_refund_repeatedly and Kind.REFUND in remote.can.inquiry_kinds):
        pytest.skip("not this provider's: a payment has one refund, or refunds cannot be asked about")
    paid = remote.paid()
    part = third(paid.amount)
    first = remote.refund_of(paid, part)
    reported = refunded(remote, first)
    never = replace(first, reference="00000000-0000-7000-8000-000000000000", amount=paid.amount - part)
    try:
        found = remote.provider.inquire_refund(remote.refund_reference(never))
    except ProviderError as error:
        assert isinstance(error, OutcomeUnknown)
    else:
        assert found.state is State.NOT_FOUND
    again = remote.checked(remote.provider.inquire_refund(remote.refund_reference(first, reported)))
    assert again.amount == part


def test_refunds_are_listed_payment_by_payment_with_our_reference(scenario: ContractScenario) -> None:
    """Breaks when a list shows another payment's refunds, or takes ours for an external one."""
    paid = scenario.paid()
    if not scenario.can.lists_refunds:
        with scenario.refused(NotSupported):
            scenario.provider.refunds_of(paid)
        return
    part, other = third(paid.amount), scenario.paid()
    mine = [
        scenario.refund_of(paid, part),
        scenario.refund_of(paid, paid.amount - part, before=part.amount_minor),
    ]
    reported = [refunded(scenario, request) for request in mine]
    refunded(scenario, scenario.refund_of(other, part))
    listed = scenario.provider.refunds_of(paid)
    found = {(one.reference, one.result.provider_reference, one.result.amount) for one in listed}
    assert found == {
        (r.reference, t.provider_reference, r.amount) for r, t in zip(mine, reported, strict=True)
    }
    assert {one.result.state for one in listed} == {State.SUCCEEDED}
    scenario.must_have_refunded(mine, part, paid.amount - part)


def test_reversed_means_all_of_it(remote: ContractScenario) -> None:
    """After the refund of a part a payment is not called reversed: that word is for the whole of it."""
    if not remote.can.can_refund_partially:
        pytest.skip("not this provider's: there are no parts")
    paid = remote.paid()
    refunded(remote, remote.refund_of(paid, third(paid.amount)))
    assert remote.inquire(paid).state in (State.SUCCEEDED, State.REFUNDED)
