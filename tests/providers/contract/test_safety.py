"""What holds of every call: no connection is held meanwhile, nothing secret is shown, each call is measured."""

from __future__ import annotations

import io
import logging
import traceback
from dataclasses import replace

import pytest
import structlog

from app import held_connections
from app.held_connections import ConnectionHeld
from app.providers.errors import NotSupported, ProviderError
from tests.providers.contract.fault_proxy import instead
from tests.providers.contract.operations import CALLS, OPERATIONS, prepare, run, supports
from tests.providers.contract.scenario import UNREACHABLE, ContractScenario
from tests.support.providers import MemoryTokens


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_call_is_made_while_a_connection_is_held(scenario: ContractScenario, operation: str) -> None:
    if operation in ("pay_out", "inquire_payout") and not scenario.can.payouts:
        pytest.skip("not this provider's: the case has no destination")
    prepare(scenario, operation)
    call = CALLS[operation]
    seen = len(scenario.environment.fault_proxy.seen)
    with held_connections.held(), pytest.raises(ConnectionHeld, match=scenario.case.name):
        call(scenario, scenario.provider)
    assert len(scenario.environment.fault_proxy.seen) == seen


@pytest.mark.parametrize("operation", OPERATIONS)
def test_undeclared_operations_are_unsupported_and_send_nothing(
    scenario: ContractScenario, operation: str
) -> None:
    if supports(scenario, operation):
        pytest.skip("not this provider's: it is declared, and exercised in another test")
    if operation in ("pay_out", "inquire_payout"):
        pytest.skip("not this provider's: test_payouts.py")
    prepare(scenario, operation)
    seen = len(scenario.environment.fault_proxy.seen)
    with scenario.refused(NotSupported):
        run(scenario, operation, scenario.provider)
    assert len(scenario.environment.fault_proxy.seen) == seen


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_call_is_measured_and_logged(scenario: ContractScenario, operation: str) -> None:
    if not supports(scenario, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    prepare(scenario, operation)
    with structlog.testing.capture_logs() as logged:
        try:
            run(scenario, operation, scenario.provider)
            outcome = None
        except ProviderError as error:
            outcome = error.outcome
    record = scenario.observed.last
    assert (record.provider, record.operation) == (scenario.case.name, operation)
    assert outcome is None or record.outcome == outcome
    assert 0 <= record.duration_s < 30
    assert [line["operation"] for line in logged if line["event"] == "provider.called"] == [operation]


def _everything(scenario: ContractScenario) -> str:
    """Every operation of the provider, with its failures, and everything that was logged or returned."""
    output: list[str] = []
    scenario.paid_once  # noqa: B018
    adapters = [scenario.provider]
    if scenario.case.is_remote:
        adapters += [
            scenario.make(base_url=UNREACHABLE, timeout_s=1, connect_timeout_s=1),
            scenario.make(tokens=MemoryTokens(), **scenario.case.wrong_settings),
        ]
    for provider in adapters:
        for operation in OPERATIONS:
            if supports(scenario, operation):
                try:
                    run(scenario, operation, provider)
                except ProviderError as error:
                    output += ["".join(traceback.format_exception(error)), repr(error), repr(error.response)]
        output += [repr(provider), str(provider), repr(provider.account), repr(provider.context.observe)]
    return "\n".join(output)


def test_nothing_secret_is_shown_anywhere(scenario: ContractScenario) -> None:
    """In no text of the provider, no log line of ours or of a library, no error, no URL."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    scenario.environment.fault_proxy.seen.clear()
    try:
        with structlog.testing.capture_logs() as logged:
            output = _everything(scenario)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    targets = "\n".join(asked.target for asked in scenario.environment.fault_proxy.seen)
    assert logged
    assert bool(targets) is scenario.case.is_remote
    for text in (output, repr(logged), stream.getvalue(), targets):
        scenario.must_hide_secrets(text)
        for name in ("phone", "email"):
            contact = getattr(scenario.case.customer, name)
            assert not contact or contact.lstrip("+") not in text, name


def test_errors_do_not_contain_the_request(remote: ContractScenario) -> None:
    """Even a provider that echoes what it was sent makes us show nothing secret."""
    secrets = remote.secrets()
    echo = ("{" + ",".join(f'"f{n}": "{s}"' for n, s in enumerate(secrets)) + "}").encode()
    for status in (200, 400, 401, 500):
        for operation in ("charge", "inquire"):
            remote.environment.fault_proxy.forget()
            prepare(remote, operation)
            remote.environment.fault_proxy.inject(remote.case.paths[operation], instead(status, echo))
            with remote.refused(ProviderError):
                run(remote, operation, remote.provider)


def test_accounts_of_one_provider_do_not_mix(remote: ContractScenario) -> None:
    """Two accounts, one token store: the second never uses what the first one got."""
    tokens = MemoryTokens()
    good = remote.make(tokens=tokens)
    remote.charge(remote.request(), good)
    unauthorized = remote.make(tokens=tokens, **remote.case.wrong_settings)
    other = type(unauthorized)(replace(unauthorized.account, id="another-account"), unauthorized.context)
    with remote.refused(ProviderError):
        remote.charge(remote.request(), other)
