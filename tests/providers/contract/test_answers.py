"""Answers no simulator gives: unreadable, endless, slow, redirected, about another charge, with unknown status words."""

from __future__ import annotations

import time

import pytest

from app.providers.base import State
from app.providers.errors import OutcomeUnknown
from tests.providers.contract.case import every, set_in
from tests.providers.contract.fault_proxy import changed, cut, dripping, instead, packed
from tests.providers.contract.operations import OPERATIONS, prepare, real, run, supports
from tests.providers.contract.scenario import ContractScenario

ODD = {
    "html": instead(200, b"<html>maintenance</html>", Content_Type="text/html"),
    "nothing": instead(200, b""),
    "a-list": instead(200, b"[]"),
    "a-number": instead(200, b"1"),
    "null": instead(200, b"null"),
    "an-empty-object": instead(200, b"{}"),
    "another-shape": instead(200, b'{"result": {"code": 7, "text": "In no document"}}'),
    "an-unknown-refusal": instead(
        200, b'{"status": "odd", "message": "In no document", "ResponseCode": "odd"}'
    ),
    "created-elsewhere": instead(201, b'{"ok": true}'),
    "no-content": instead(204),
    "half": cut,
    "a-proxy-s-500": instead(500, b"<html>oops</html>", Content_Type="text/html"),
    "a-proxy-s-502": instead(502, b""),
    "a-proxy-s-404": instead(404, b"<html>no such page</html>", Content_Type="text/html"),
    "a-proxy-s-403": instead(403, b"<html>blocked</html>", Content_Type="text/html"),
    "a-conflict": instead(409, b"<html>conflict</html>", Content_Type="text/html"),
}


NOT_JSON = {
    "no-json": instead(200, b'{"status": "succ'),
    "not-text": instead(200, b"\xff\xfe\x00"),
    "deep": instead(200, b"[" * 100_000),
    "two-million-digits": instead(200, b'{"status": 1e1999999, "ResponseCode": 1e1999999}'),
    "an-exponent-of-19-digits": instead(
        200, b'{"status": 1e9999999999999999999, "ResponseCode": 1e9999999999999999999}'
    ),
    "5000-digits": instead(200, b'{"status": ' + b"9" * 5000 + b"}"),
    "infinity": instead(200, b'{"status": Infinity}'),
}
"""What an adapter's reader of JSON refuses, which is the same for all its operations."""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_unreadable_answer_leaves_the_outcome_unknown(remote: ContractScenario, operation: str) -> None:
    _needs(remote, operation)
    for name, fault in (ODD | NOT_JSON if operation == "charge" else ODD).items():
        if name == "half" and operation in ("cancel", "refund", "pay_out"):
            continue  # it would be done
        if name == "an-unknown-refusal" and operation == "cancel":
            continue  # a cancel that is refused is no outcome: the charge is asked about
        remote.environment.fault_proxy.forget()
        remote.environment.fault_proxy.inject(remote.case.paths[operation], fault)
        try:
            with remote.refused(OutcomeUnknown):
                run(remote, operation, remote.provider)
        except AssertionError as error:
            raise AssertionError(f"{operation}, answered by {name}: {error}") from error


@pytest.mark.parametrize("operation", ["charge", "inquire"])
def test_an_answer_may_be_compressed_and_in_chunks(remote: ContractScenario, operation: str) -> None:
    prepare(remote, operation)
    remote.environment.fault_proxy.inject(remote.case.paths[operation], packed)
    assert run(remote, operation, remote.provider).state in (State.PENDING, State.SUCCEEDED)


@pytest.mark.parametrize("operation", ["charge", "inquire", "refund", "pay_out"])
def test_a_redirect_is_not_followed(remote: ContractScenario, operation: str) -> None:
    _needs(remote, operation)
    fault_proxy = remote.environment.fault_proxy
    prepare(remote, operation)
    for status in (301, 302, 303, 307, 308) if operation == "charge" else (302, 307):
        fault_proxy.forget()
        fault_proxy.inject(
            remote.case.paths[operation], instead(status, b"", Location=f"{fault_proxy.url}/elsewhere")
        )
        with remote.refused(OutcomeUnknown):
            run(remote, operation, remote.provider)
        assert fault_proxy.count("/elsewhere") == 0, status
        assert fault_proxy.count(remote.case.paths[operation]) == 1, f"{status}, and it is not sent again"


@pytest.mark.parametrize("operation", ["charge", "inquire", "refund"])
def test_an_endless_answer_is_not_read_to_its_end(remote: ContractScenario, operation: str) -> None:
    _needs(remote, operation)
    prepare(remote, operation)
    huge = b'{"status": "success", "data": "' + b"x" * 3_000_000 + b'"}'
    remote.environment.fault_proxy.inject(remote.case.paths[operation], instead(200, huge))
    with remote.refused(OutcomeUnknown) as caught:
        run(remote, operation, remote.provider)
    assert "too large" in caught[0].message


@pytest.mark.parametrize("operation", ["charge", "inquire"])
def test_slowly_sent_answer_times_out(remote: ContractScenario, operation: str) -> None:
    prepare(remote, operation)
    hasty = remote.make(timeout_s=0.4, connect_timeout_s=0.2)
    remote.environment.fault_proxy.inject(remote.case.paths[operation], dripping)
    began = time.monotonic()
    with remote.refused(OutcomeUnknown):
        run(remote, operation, hasty)
    assert time.monotonic() - began < 30, "the time-out is for the whole answer"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_unknown_status_word_is_an_unknown_outcome(remote: ContractScenario, operation: str) -> None:
    word = remote.case.unknown_words.get(operation)
    if word is None:
        pytest.skip("not this provider's: the answer has no status word")
    prepare(remote, operation)
    provider, call = remote.provider, real(remote, operation)
    remote.environment.fault_proxy.inject(remote.case.paths[operation], changed(word))
    with remote.refused(OutcomeUnknown) as caught:
        remote.checked(call(provider))
    assert caught[0].outcome == "unknown"


def test_answer_about_another_charge_is_rejected(remote: ContractScenario) -> None:
    """A proxy's cache, a mixed-up connection: the answer names whose it is."""
    if not remote.case.own_reference:
        pytest.skip("not this provider's: the answer does not name our reference")
    prepare(remote, "inquire")
    other = set_in(*remote.case.own_reference, to="0198c0de-0000-7000-8000-000000000001")
    remote.environment.fault_proxy.inject(remote.case.paths["inquire"], changed(other))
    with remote.refused(OutcomeUnknown):
        run(remote, "inquire", remote.provider)


def test_every_case_has_an_unknown_word_for_its_inquiry() -> None:
    for case in every():
        assert not case.is_remote or "inquire" in case.unknown_words, case.id


def _needs(scenario: ContractScenario, operation: str) -> None:
    if not supports(scenario, operation) or operation not in scenario.case.paths:
        pytest.skip("not this provider's: the provider has no such operation")
    prepare(scenario, operation)
