"""The stage of the contract suite: one sandbox whose customers pay at once, a meddler before it, an inbox behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from app.providers import base
from tests.providers.contract.case import every
from tests.providers.contract.meddler import Inbox, Meddler
from tests.providers.contract.scene import Scene, Theatre
from tests.support.sandbox import running_sandbox


@pytest.fixture(autouse=True)
def own_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger keeps what was configured when it was first used, by an application of another test for example."""
    monkeypatch.setattr(base, "log", structlog.get_logger("providers"))


@pytest.fixture(scope="session")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with Inbox() as inbox:
        folder = tmp_path_factory.mktemp("contract")
        with running_sandbox(folder, autopay_s=0.0, webhook_base=f"{inbox.url}/hooks") as sandbox:
            with Meddler(sandbox.url) as meddler:
                yield Theatre(sandbox, meddler, inbox)


@pytest.fixture(scope="session")
def scenes(theatre: Theatre) -> dict[str, Scene]:
    made = {case.id: Scene(case, theatre) for case in every()}
    theatre.inbox.readers.update({scene.case.name: scene.provider for scene in made.values()})
    return made


@pytest.fixture(params=[case.id for case in every()])
def scene(request: pytest.FixtureRequest, scenes: dict[str, Scene]) -> Iterator[Scene]:
    """Every case in turn."""
    yield from _played(scenes[request.param])


@pytest.fixture(params=[case.id for case in every() if case.is_remote])
def remote(request: pytest.FixtureRequest, scenes: dict[str, Scene]) -> Iterator[Scene]:
    """Every case that is spoken to over HTTP."""
    yield from _played(scenes[request.param])


def _played(scene: Scene) -> Iterator[Scene]:
    yield scene
    scene.theatre.sandbox.forget_rules()
    scene.theatre.meddler.forget()
