"""What each provider's codes and words mean in the gateway's own."""

from __future__ import annotations

import pytest

from app.providers import PROVIDERS
from app.providers.base import FailureCode, ProviderResult, State
from app.providers.errors import AuthFailed, Declined, NotSent, ProviderError, RateLimited, RequestRejected
from app.providers.failures import MEANINGS
from app.providers.mpesa.statuses import RESULT_CODES

FAILED = State.FAILED


def failed(code: str | None, message: str | None = None) -> ProviderResult:
    return ProviderResult(FAILED, code=code, message=message)


@pytest.mark.parametrize(
    ("provider", "outcome", "code"),
    [
        ("mpesa", failed("2001", "The initiator information is invalid."), "wrong_pin"),
        ("mpesa", failed("1037"), "timeout"),
        ("mpesa", Declined("Unable to lock subscriber", code="500.001.1001"), "customer_busy"),
        ("mpesa", RequestRejected("Merchant does not exist", code="500.001.1001"), "invalid_request"),
        ("stripe", failed("expired_card"), "expired_card"),
        ("stripe", failed("lost_card"), "declined"),
        ("stripe", failed("expired"), "timeout"),
        ("paystack", failed("failed", "Insufficient Funds"), "insufficient_funds"),
        ("paystack", failed("failed", "Incorrect PIN"), "wrong_pin"),
        (
            "pesapal",
            failed("failed", "The balance is insufficient for the transaction."),
            "insufficient_funds",
        ),
        ("pesapal", failed("failed", "The customer cancelled the payment."), "cancelled_by_customer"),
        ("chapa", ProviderResult(State.CANCELLED, code="cancelled"), "cancelled"),
        ("chapa", failed("failed", "The customer did not pay."), "declined"),
        ("cpay", Declined(code="amount_exceeds_limit"), "limit_exceeded"),
    ],
)
def test_the_same_reason_has_the_same_code(
    provider: str, outcome: ProviderResult | ProviderError, code: str
) -> None:
    assert PROVIDERS[provider].failures.code_of(outcome) == code


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_no_table_knows_is_declined(provider: str) -> None:
    table = PROVIDERS[provider].failures
    for outcome in (failed("Z77", "The service request is processed successfully."), failed(None)):
        assert table.code_of(outcome) == table.code_of(outcome, is_refund=True) == "declined"
    assert table.code_of(RateLimited("The limit is exceeded.", code="Z77")) == "provider_unavailable"
    assert table.code_of(NotSent(code="Z77")) == "provider_unavailable"
    assert table.code_of(AuthFailed(code="Z77")) == "not_configured"
    assert table.code_of(RequestRejected(code="Z77")) == "invalid_request"


def test_what_a_reversals_code_says_is_not_about_a_pin() -> None:
    """M-Pesa has one code for a wrong PIN and for wrong credentials of the operator who reverses."""
    table = PROVIDERS["mpesa"].failures
    assert table.code_of(failed("2001"), is_refund=True) == "not_configured"
    assert table.code_of(failed("1"), is_refund=True) == "insufficient_funds"


def test_every_failure_of_mpesa_has_a_meaning() -> None:
    table = PROVIDERS["mpesa"].failures
    ends = {code for code, known in RESULT_CODES.items() if known.state in (FAILED, State.CANCELLED)}
    assert ends <= table.charges.keys() | table.refunds.keys()


def test_every_code_has_sentences() -> None:
    assert set(MEANINGS) == set(FailureCode)
    for meaning in MEANINGS.values():
        assert meaning.payment.endswith(".") and meaning.refund.endswith(".")
