"""Fixtures of the contract suite: simulators whose customers pay at once, the fault proxy before them, an inbox for
callbacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from app.providers import base
from tests.providers.contract.case import every
from tests.providers.contract.environment import ContractEnvironment
from tests.providers.contract.fault_proxy import FaultProxy, Inbox
from tests.providers.contract.scenario import ContractScenario
from tests.support.sandbox_parts import served_sandbox


@pytest.fixture(autouse=True)
def own_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger keeps what was configured when it was first used, by an application of another test for example."""
    monkeypatch.setattr(base, "log", structlog.get_logger("providers"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractEnvironment]:
    with Inbox() as inbox:
        folder = tmp_path_factory.mktemp("contract")
        with served_sandbox(folder, autopay_s=0.0, webhook_base=f"{inbox.url}/hooks") as sandbox:
            with FaultProxy(sandbox.url) as fault_proxy:
                yield ContractEnvironment(sandbox, fault_proxy, inbox)


@pytest.fixture(scope="session")
def scenarios(environment: ContractEnvironment) -> dict[str, ContractScenario]:
    made = {case.id: ContractScenario(case, environment) for case in every()}
    environment.inbox.readers.update({scenario.case.name: scenario.provider for scenario in made.values()})
    return made


@pytest.fixture(params=[case.id for case in every()])
def scenario(
    request: pytest.FixtureRequest, scenarios: dict[str, ContractScenario]
) -> Iterator[ContractScenario]:
    """Every case in turn."""
    yield from _played(scenarios[request.param])


@pytest.fixture(params=[case.id for case in every() if case.is_remote])
def remote(
    request: pytest.FixtureRequest, scenarios: dict[str, ContractScenario]
) -> Iterator[ContractScenario]:
    """Every case that is spoken to over HTTP."""
    yield from _played(scenarios[request.param])


def _played(scenario: ContractScenario) -> Iterator[ContractScenario]:
    yield scenario
    scenario.environment.sandbox.forget_rules()
    scenario.environment.fault_proxy.forget()
