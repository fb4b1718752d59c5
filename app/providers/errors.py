"""What can go wrong at a provider. The one question that matters: can money have moved?

Every error but `OutcomeUnknown` is a definite "nothing happened". Only those may end an attempt, and only those may be
followed by a new attempt under a new key, at this provider or another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from app.providers.values import ProviderResult, State


class ProviderError(Exception):
    """code: the provider's code, or ours; message: one sentence without secrets; response: the provider's answer,
    redacted and JSON-safe; retry_after_s: when trying again makes sense, in seconds."""

    outcome: ClassVar[str] = "error"
    default_message: ClassVar[str] = "The provider did not do this."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        response: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.code = code or self.outcome
        self.response = dict(response or {})
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class Declined(ProviderError):
    """The provider, a bank or the customer refused for good: the same request will be refused again."""

    outcome = "declined"
    default_message = "The provider declined this."


class RequestRejected(ProviderError):
    """The provider cannot take what was asked: a field, an amount, a currency, an unknown id."""

    outcome = "invalid_request"
    default_message = "The provider does not take this request."


class NotSupported(RequestRejected):
    """The provider has no such operation at all."""

    outcome = "not_supported"
    default_message = "This provider cannot do that."


class AuthFailed(ProviderError):
    """Our credentials were refused, also after a fresh token: for an operator."""

    outcome = "auth_failed"
    default_message = "The provider refused our credentials."


class RateLimited(ProviderError):
    """Too many requests; this one was not processed."""

    outcome = "rate_limited"
    default_message = "The provider asks us to slow down."


class NotSent(ProviderError):
    """Nothing was sent: the name did not resolve, the connection was refused. Safe to try again."""

    outcome = "unavailable"
    default_message = "The provider cannot be reached."


class ReceiptMissing(NotSent):
    """The provider refunds by its receipt of the payment, which is not known yet: the refund waits until it is."""

    outcome = "no_receipt"
    default_message = "The provider refunds by receipt, and this payment has none yet."


NOTHING_HAPPENED: Final = (NotSent, AuthFailed, RateLimited)
"""After these errors the provider has not acted on the request: another may be called, or the same one again."""

NO_PROVIDER_ID: Final = "no_provider_id"
"""The code of an OutcomeUnknown when neither our reference nor an id of the provider's can be queried."""


OTHER_ID: Final = "other_id"
"""The code of an OutcomeUnknown when the id to query by is not one of this operation."""


class OutcomeUnknown(ProviderError):
    """Bytes were sent and no answer says what became of them: time-out, reset, 5xx, an unreadable 200.

    Only an inquiry, a verified callback or an operator ends this. Never a reason to send under a new key.
    """

    outcome = "unknown"
    default_message = "The provider's answer was lost; whether it acted is not known yet."


class UnclearAnswer(OutcomeUnknown):
    """The provider answered about the operation, with a code or word that decides nothing: it is in no table, or does not
    tell whether money moved. The operation stays open; asking again at once would lead to the same answer."""

    default_message = "The provider's answer does not tell how this stands."


class UnconfirmedFailure(UnclearAnswer):
    """The provider answered that the operation has ended without success, by a code that is in no table. It is final once
    something else says the same: the callback, or the same answer a minute later. code and message are the provider's."""

    def as_failure(self) -> ProviderResult:
        """What it means once it is confirmed."""
        return ProviderResult(State.FAILED, code=self.code, message=self.message, response=self.response)


class DuplicateReference(OutcomeUnknown):
    """The provider knows this reference already: an earlier sending arrived. Ask for its state."""

    outcome = "duplicate"
    default_message = "The provider has this reference already."


class WrongEnvironment(OutcomeUnknown):
    """A live account was answered about test money, or the other way round: nothing in the answer counts.

    Asking again leads to the same answer until the account's keys or its environment are corrected: for an operator.
    """

    outcome = "wrong_environment"
    default_message = "The provider's answer is not of this account's environment."


class CallbackError(ProviderError):
    """Base of what is wrong with a callback: it changes nothing."""


class ForgedCallback(CallbackError):
    """The signature is missing, wrong or too old: answered with 401."""

    outcome = "forged"
    default_message = "The callback's signature is not valid."


class InvalidCallback(CallbackError):
    """It cannot be read. is_verified: its signature is valid, so it is the provider's: kept and acknowledged all the same."""

    outcome = "unreadable"
    default_message = "The callback cannot be read."
    is_verified = False
