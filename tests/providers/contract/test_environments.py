"""Live money and test money: an account's settings and a provider's answers must not contradict its environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from app.providers.base import Kind, Provider
from app.providers.environments import ContradictoryAccount
from app.providers.errors import WrongEnvironment
from tests.providers.contract.case import every, set_in, without
from tests.providers.contract.fault_proxy import ReceivedCallback, changed
from tests.providers.contract.operations import OPERATIONS, real
from tests.providers.contract.scenario import ContractScenario
from tests.support.waiting import wait_until


@contextmanager
def as_live(scenario: ContractScenario) -> Iterator[Provider]:
    """A live account. Its keys look like live ones, and the simulator takes them; its answers are about test money."""
    inbox, sandbox, name = scenario.environment.inbox, scenario.environment.sandbox, scenario.case.name
    provider, reader = scenario.make(environment="live", **scenario.case.live_settings), inbox.readers[name]
    scenario.quiet()
    sandbox.control({"credentials": {name: dict(scenario.case.live_settings)}})
    inbox.readers[name] = provider
    try:
        yield provider
        scenario.quiet()
    finally:
        inbox.readers[name] = reader
        sandbox.control({"credentials": {name: dict(scenario.case.settings)}})


def _needs_mode(scenario: ContractScenario, operation: str) -> None:
    if operation not in scenario.case.modes:
        pytest.skip("not this provider's: the answer does not name its environment")


def _answered_live(scenario: ContractScenario, operation: str) -> None:
    member, live = scenario.case.modes[operation]
    scenario.environment.fault_proxy.inject(scenario.case.paths[operation], changed(set_in(*member, to=live)))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_live_account_takes_nothing_from_an_answer_about_test_money(
    remote: ContractScenario, operation: str
) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    with as_live(remote) as provider, remote.refused(WrongEnvironment) as caught:
        call(provider)
    assert caught[0].outcome == "wrong_environment"
    assert "test money" in caught[0].message


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_test_account_takes_nothing_from_an_answer_about_live_money(
    remote: ContractScenario, operation: str
) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    _answered_live(remote, operation)
    with remote.refused(WrongEnvironment) as caught:
        call(remote.provider)
    assert "live money" in caught[0].message


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_live_account_takes_answers_about_live_money(remote: ContractScenario, operation: str) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    for every_operation in remote.case.modes:
        _answered_live(remote, every_operation)
    with as_live(remote) as provider:
        assert call(provider).state


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_live_account_takes_no_answer_without_a_member_that_is_promised(
    remote: ContractScenario, operation: str
) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    member, _ = remote.case.modes[operation]
    remote.environment.fault_proxy.inject(remote.case.paths[operation], changed(without(*member)))
    for other in set(remote.case.modes) - {operation}:
        _answered_live(remote, other)
    with as_live(remote) as provider:
        if remote.case.may_omit_mode:
            assert call(provider).state
            return
        with remote.refused(WrongEnvironment):
            call(provider)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_environment_nobody_has_defined_is_the_wrong_one(remote: ContractScenario, operation: str) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    member, _ = remote.case.modes[operation]
    remote.environment.fault_proxy.inject(
        remote.case.paths[operation], changed(set_in(*member, to="unheard_of"))
    )
    with remote.refused(WrongEnvironment):
        call(remote.provider)


def test_a_callback_about_test_money_is_none_of_a_live_account_s(remote: ContractScenario) -> None:
    if not remote.case.modes:
        pytest.skip("not this provider's: its callbacks do not name their environment")
    request = remote.request()

    def signed() -> ReceivedCallback | None:
        received = remote.received_callbacks(request.callback_url, Kind.PAYMENT, request.reference)
        return next((one for one in received if one.event.is_verified), None)

    with as_live(remote) as provider:
        with suppress(WrongEnvironment):
            provider.charge(request)
        found = wait_until(signed, "a signed callback comes")
    assert "test money" in (found.event.objection or "")
    assert remote.environment.inbox.refused == []


def test_a_callback_of_the_account_s_environment_has_no_objection(remote: ContractScenario) -> None:
    request = remote.request()
    remote.charge(request)
    found = remote.callback(request.callback_url, Kind.PAYMENT, request.reference)
    assert found.event.objection is None


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_test_credentials_are_refused_on_a_live_account(case, scenarios: dict[str, ContractScenario]) -> None:
    """Each of them by itself: one of another's is enough to be paid in test money, or by whoever knows it."""
    scenario = scenarios[case.id]
    reporting = [one for one in case.provider.settings if one.prefixes or one.published]
    assert bool(reporting) is bool(case.live_settings)
    for one in reporting:
        if one.name in case.settings:
            with pytest.raises(ContradictoryAccount, match=f"{one.name} is a test credential") as caught:
                scenario.make(environment="live", **{**case.live_settings, one.name: case.settings[one.name]})
            assert case.settings[one.name] not in str(caught.value)


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_a_live_key_is_refused_on_a_test_account(case, scenarios: dict[str, ContractScenario]) -> None:
    for one in case.provider.settings:
        if one.prefixes:
            with pytest.raises(ContradictoryAccount, match=f"{one.name} is a live credential"):
                scenarios[case.id].make(**{one.name: case.live_settings[one.name]})


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_a_key_of_an_unknown_kind_is_refused_on_a_live_account(
    case, scenarios: dict[str, ContractScenario]
) -> None:
    for one in case.provider.settings:
        if one.prefixes:
            with pytest.raises(ContradictoryAccount, match=f"{one.name} does not begin with"):
                scenarios[case.id].make(
                    environment="live", **{**case.live_settings, one.name: "key-of-no-kind"}
                )


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_the_address_of_the_other_environment_is_refused(
    case, scenarios: dict[str, ContractScenario]
) -> None:
    urls = case.provider.base_urls
    if urls["live"] == urls["sandbox"] or not case.is_remote:
        pytest.skip("not this provider's: both environments have one address")
    scenario, live = scenarios[case.id], case.live_settings
    with pytest.raises(ContradictoryAccount, match="base_url"):
        scenario.make(environment="live", base_url=urls["sandbox"], **live)
    with pytest.raises(ContradictoryAccount, match="base_url"):
        scenario.make(base_url=f"{urls['live']}/")
    assert scenario.make(environment="live", base_url=urls["live"], **live)


def test_every_provider_says_where_its_answers_name_their_environment() -> None:
    for case in every():
        assert bool(case.modes) is not bool(case.without_modes), case.id


def test_a_case_names_every_setting_that_shows_its_environment() -> None:
    for case in every():
        showing = {one.name for one in case.provider.settings if one.prefixes or one.published}
        assert showing & set(case.settings) == set(case.live_settings), case.id
