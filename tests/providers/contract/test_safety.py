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
from tests.providers.contract.meddler import instead
from tests.providers.contract.operations import CALLS, OPERATIONS, prepare, run, supports
from tests.providers.contract.scene import NOBODY, Scene
from tests.support.providers import MemoryTokens


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_call_is_made_while_a_connection_is_held(scene: Scene, operation: str) -> None:
    if operation in ("pay_out", "inquire_payout") and not scene.can.payouts:
        pytest.skip("not this provider's: the case has no destination")
    prepare(scene, operation)
    call = CALLS[operation]
    seen = len(scene.theatre.meddler.seen)
    with held_connections.held(), pytest.raises(ConnectionHeld, match=scene.case.name):
        call(scene, scene.provider)
    assert len(scene.theatre.meddler.seen) == seen


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_not_declared_is_not_supported_and_asks_nobody(scene: Scene, operation: str) -> None:
    if supports(scene, operation):
        pytest.skip("not this provider's: it is declared, and exercised elsewhere")
    if operation in ("pay_out", "inquire_payout"):
        pytest.skip("not this provider's: test_payouts.py")
    prepare(scene, operation)
    seen = len(scene.theatre.meddler.seen)
    with scene.refused(NotSupported):
        run(scene, operation, scene.provider)
    assert len(scene.theatre.meddler.seen) == seen


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_call_is_measured_and_logged(scene: Scene, operation: str) -> None:
    if not supports(scene, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    prepare(scene, operation)
    with structlog.testing.capture_logs() as logged:
        try:
            run(scene, operation, scene.provider)
            outcome = None
        except ProviderError as error:
            outcome = error.outcome
    record = scene.observed.last
    assert (record.provider, record.operation) == (scene.case.name, operation)
    assert outcome is None or record.outcome == outcome
    assert 0 <= record.duration_s < 30
    assert [line["operation"] for line in logged if line["event"] == "provider.called"] == [operation]


def _everything(scene: Scene) -> str:
    """A life of the provider, its failures too, and all that was said meanwhile."""
    said: list[str] = []
    scene.paid_once  # noqa: B018
    strangers = [scene.provider]
    if scene.case.is_remote:
        strangers += [
            scene.make(base_url=NOBODY, timeout_s=1, connect_timeout_s=1),
            scene.make(tokens=MemoryTokens(), **scene.case.wrong_settings),
        ]
    for provider in strangers:
        for operation in OPERATIONS:
            if supports(scene, operation):
                try:
                    run(scene, operation, provider)
                except ProviderError as error:
                    said += ["".join(traceback.format_exception(error)), repr(error), repr(error.response)]
        said += [repr(provider), str(provider), repr(provider.account), repr(provider.surroundings.observe)]
    return "\n".join(said)


def test_nothing_secret_is_shown_anywhere(scene: Scene) -> None:
    """In no text of the provider, no log line of ours or of a library, no error, no URL."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    scene.theatre.meddler.seen.clear()
    try:
        with structlog.testing.capture_logs() as logged:
            said = _everything(scene)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    targets = "\n".join(asked.target for asked in scene.theatre.meddler.seen)
    assert logged
    assert bool(targets) is scene.case.is_remote
    for text in (said, repr(logged), stream.getvalue(), targets):
        scene.must_hide_secrets(text)
        for name in ("phone", "email"):
            contact = getattr(scene.case.customer, name)
            assert not contact or contact.lstrip("+") not in text, name


def test_an_error_says_nothing_of_the_request(remote: Scene) -> None:
    """Even a provider that echoes what it was sent makes us show nothing secret."""
    secrets = remote.secrets()
    echo = ("{" + ",".join(f'"f{n}": "{s}"' for n, s in enumerate(secrets)) + "}").encode()
    for status in (200, 400, 401, 500):
        for operation in ("charge", "inquire"):
            remote.theatre.meddler.forget()
            prepare(remote, operation)
            remote.theatre.meddler.meddle(remote.case.paths[operation], instead(status, echo))
            with remote.refused(ProviderError):
                run(remote, operation, remote.provider)


def test_accounts_of_one_provider_do_not_mix(remote: Scene) -> None:
    """Two accounts, one token store: the second never uses what the first one got."""
    tokens = MemoryTokens()
    good = remote.make(tokens=tokens)
    remote.charge(remote.request(), good)
    stranger = remote.make(tokens=tokens, **remote.case.wrong_settings)
    other = type(stranger)(replace(stranger.account, id="another-account"), stranger.surroundings)
    with remote.refused(ProviderError):
        remote.charge(remote.request(), other)
