"""Live money and test money: an account's settings and a provider's answers must not contradict its environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from app.providers.base import Kind, Provider
from app.providers.environments import ContradictoryAccount
from app.providers.errors import WrongEnvironment
from tests.providers.contract.case import every, set_in, without
from tests.providers.contract.meddler import Heard, changed
from tests.providers.contract.operations import OPERATIONS, real
from tests.providers.contract.scene import Scene
from tests.support.waiting import wait_until


@contextmanager
def as_live(scene: Scene) -> Iterator[Provider]:
    """A live account. Its keys look like live ones, and the simulator takes them; its answers are about test money."""
    inbox, sandbox, name = scene.theatre.inbox, scene.theatre.sandbox, scene.case.name
    provider, reader = scene.make(environment="live", **scene.case.live_settings), inbox.readers[name]
    scene.quiet()
    sandbox.control({"credentials": {name: dict(scene.case.live_settings)}})
    inbox.readers[name] = provider
    try:
        yield provider
        scene.quiet()
    finally:
        inbox.readers[name] = reader
        sandbox.control({"credentials": {name: dict(scene.case.settings)}})


def _needs_mode(scene: Scene, operation: str) -> None:
    if operation not in scene.case.modes:
        pytest.skip("not this provider's: the answer does not name its environment")


def _answered_live(scene: Scene, operation: str) -> None:
    member, live = scene.case.modes[operation]
    scene.theatre.meddler.meddle(scene.case.paths[operation], changed(set_in(*member, to=live)))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_live_account_takes_nothing_from_an_answer_about_test_money(remote: Scene, operation: str) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    with as_live(remote) as provider, remote.refused(WrongEnvironment) as caught:
        call(provider)
    assert caught[0].outcome == "wrong_environment"
    assert "test money" in caught[0].message


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_test_account_takes_nothing_from_an_answer_about_live_money(remote: Scene, operation: str) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    _answered_live(remote, operation)
    with remote.refused(WrongEnvironment) as caught:
        call(remote.provider)
    assert "live money" in caught[0].message


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_live_account_takes_answers_about_live_money(remote: Scene, operation: str) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    for every_operation in remote.case.modes:
        _answered_live(remote, every_operation)
    with as_live(remote) as provider:
        assert call(provider).state


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_live_account_takes_no_answer_without_a_member_that_is_promised(
    remote: Scene, operation: str
) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    member, _ = remote.case.modes[operation]
    remote.theatre.meddler.meddle(remote.case.paths[operation], changed(without(*member)))
    for other in set(remote.case.modes) - {operation}:
        _answered_live(remote, other)
    with as_live(remote) as provider:
        if remote.case.may_omit_mode:
            assert call(provider).state
            return
        with remote.refused(WrongEnvironment):
            call(provider)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_environment_nobody_has_defined_is_the_wrong_one(remote: Scene, operation: str) -> None:
    _needs_mode(remote, operation)
    call = real(remote, operation)
    member, _ = remote.case.modes[operation]
    remote.theatre.meddler.meddle(remote.case.paths[operation], changed(set_in(*member, to="unheard_of")))
    with remote.refused(WrongEnvironment):
        call(remote.provider)


def test_a_callback_about_test_money_is_none_of_a_live_account_s(remote: Scene) -> None:
    if not remote.case.modes:
        pytest.skip("not this provider's: its callbacks do not name their environment")
    request = remote.request()

    def signed() -> Heard | None:
        heard = remote.heard(request.callback_url, Kind.PAYMENT, request.reference)
        return next((one for one in heard if one.event.is_verified), None)

    with as_live(remote) as provider:
        with suppress(WrongEnvironment):
            provider.charge(request)
        found = wait_until(signed, "a signed callback comes")
    assert "test money" in (found.event.objection or "")
    assert remote.theatre.inbox.refused == []


def test_a_callback_of_the_account_s_environment_has_no_objection(remote: Scene) -> None:
    request = remote.request()
    remote.charge(request)
    found = remote.callback(request.callback_url, Kind.PAYMENT, request.reference)
    assert found.event.objection is None


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_test_credentials_are_refused_on_a_live_account(case, scenes: dict[str, Scene]) -> None:
    """Each of them by itself: one of another's is enough to be paid in test money, or by whoever knows it."""
    scene = scenes[case.id]
    telling = [one for one in case.provider.settings if one.prefixes or one.published]
    assert bool(telling) is bool(case.live_settings)
    for one in telling:
        if one.name in case.settings:
            with pytest.raises(ContradictoryAccount, match=f"{one.name} is a test credential") as caught:
                scene.make(environment="live", **{**case.live_settings, one.name: case.settings[one.name]})
            assert case.settings[one.name] not in str(caught.value)


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_a_live_key_is_refused_on_a_test_account(case, scenes: dict[str, Scene]) -> None:
    for one in case.provider.settings:
        if one.prefixes:
            with pytest.raises(ContradictoryAccount, match=f"{one.name} is a live credential"):
                scenes[case.id].make(**{one.name: case.live_settings[one.name]})


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_a_key_of_an_unknown_kind_is_refused_on_a_live_account(case, scenes: dict[str, Scene]) -> None:
    for one in case.provider.settings:
        if one.prefixes:
            with pytest.raises(ContradictoryAccount, match=f"{one.name} does not begin with"):
                scenes[case.id].make(environment="live", **{**case.live_settings, one.name: "key-of-no-kind"})


@pytest.mark.parametrize("case", every(), ids=lambda case: case.id)
def test_the_address_of_the_other_environment_is_refused(case, scenes: dict[str, Scene]) -> None:
    urls = case.provider.base_urls
    if urls["live"] == urls["sandbox"] or not case.is_remote:
        pytest.skip("not this provider's: both environments have one address")
    scene, live = scenes[case.id], case.live_settings
    with pytest.raises(ContradictoryAccount, match="base_url"):
        scene.make(environment="live", base_url=urls["sandbox"], **live)
    with pytest.raises(ContradictoryAccount, match="base_url"):
        scene.make(base_url=f"{urls['live']}/")
    assert scene.make(environment="live", base_url=urls["live"], **live)


def test_every_provider_says_where_its_answers_name_their_environment() -> None:
    for case in every():
        assert bool(case.modes) is not bool(case.without_modes), case.id


def test_a_case_names_every_setting_that_shows_its_environment() -> None:
    for case in every():
        showing = {one.name for one in case.provider.settings if one.prefixes or one.published}
        assert showing & set(case.settings) == set(case.live_settings), case.id
