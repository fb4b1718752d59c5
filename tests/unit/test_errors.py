"""Errors that are a key's answer are stored by their code and found again by it."""

from __future__ import annotations

import pytest

from app.errors import GatewayError, refusal


def test_every_answer_is_found_by_its_code() -> None:
    class OutOfHours(GatewayError):
        """An error that is added later: no list names it."""

        code = "OUT_OF_HOURS"
        is_answer = True

    found = refusal("OUT_OF_HOURS", replayed=True, message="We are closed.", field=None, details={})
    assert type(found) is OutOfHours and found.replayed and found.message == "We are closed."


def test_an_sql_functions_word_is_the_error_that_clients_know() -> None:
    assert refusal("SAME_ACCOUNT").code == "INVALID_REQUEST"


def test_what_is_no_answer_is_not_found() -> None:
    with pytest.raises(KeyError):
        refusal("RATE_LIMIT_EXCEEDED")


def test_two_answers_with_one_code_are_refused() -> None:
    with pytest.raises(TypeError, match="KYC_REQUIRED"):
        type("Again", (GatewayError,), {"code": "KYC_REQUIRED", "is_answer": True})
