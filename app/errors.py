"""The one error tree. Services raise; each surface renders it in its own shape (app/api)."""

from __future__ import annotations

from typing import Any, ClassVar

_ANSWERS: dict[str, type[GatewayError]] = {}
"""Code → the error that says so, of every error with `is_answer`."""


class GatewayError(Exception):
    """A refusal the caller can read: never a 500, never internals.

    code: stable upper-case name; message: one sentence for human readers; http_status: what a surface answers unless it has a rule of
    its own; field: the offending input field, if one; details: JSON-safe facts; retry_after_s: when trying again makes sense, in
    seconds; is_answer: the outcome is final for an idempotency key, so it is stored and replayed; replayed: it comes out of such a
    store. sql_code: what SQL functions call it, where that is not its code.
    """

    code = "ERROR"
    http_status = 400
    default_message = "The request was refused."
    is_answer = False
    sql_code: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        """Raises TypeError for an answer that has the code of another: a stored code must name one error."""
        super().__init_subclass__()
        if not cls.is_answer:
            return
        for code in filter(None, (cls.code, cls.sql_code)):
            if code in _ANSWERS:
                raise TypeError(f"{cls.__name__} and {_ANSWERS[code].__name__} have one code: {code}")
            _ANSWERS[code] = cls

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        field: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
        replayed: bool = False,
    ) -> None:
        self.message = message or self.default_message
        self.code = code or self.code
        self.field = field
        self.details = details or {}
        self.retry_after_s = retry_after_s
        self.replayed = replayed
        super().__init__(self.message)


class InvalidRequest(GatewayError):
    """The body, a header or a parameter is not what the route takes. Changes nothing, consumes no key."""

    code = "INVALID_REQUEST"
    default_message = "The request is not valid."


class InvalidBody(InvalidRequest):
    """The body is not the JSON this gateway accepts: see app/http/strict_json.py."""

    default_message = "The body must be a JSON object."


class PayloadTooLarge(InvalidRequest):
    http_status = 413
    default_message = "The body is too large."


class UnsupportedMediaType(InvalidRequest):
    http_status = 415
    default_message = "Send the body as application/json."


class InvalidAmount(InvalidRequest):
    code = "INVALID_AMOUNT"
    default_message = "The amount is not valid."


class UnsupportedCurrency(InvalidRequest):
    code = "UNSUPPORTED_CURRENCY"
    default_message = "This currency is not supported."


class CardDataNotAllowed(InvalidRequest):
    code = "CARD_DATA_NOT_ALLOWED"
    default_message = "Card numbers are not accepted here."


class WeakPassword(InvalidRequest):
    code = "WEAK_PASSWORD"
    default_message = (
        "The password needs at least 8 characters with an upper-case letter, a lower-case letter, "
        "a digit and a special character."
    )


class AuthenticationFailed(GatewayError):
    """The credential is missing or not valid. Base of the 401 errors."""

    http_status = 401
    code = "TOKEN_INVALID"
    default_message = "The access token is not valid."


class TokenMissing(AuthenticationFailed):
    code = "TOKEN_MISSING"
    default_message = "Send an access token: Authorization: Bearer <token>."


class TokenInvalid(AuthenticationFailed):
    pass


class TokenExpired(AuthenticationFailed):
    code = "TOKEN_EXPIRED"
    default_message = "The access token has expired."


class InvalidApiKey(AuthenticationFailed):
    """Unknown, revoked, or of a suspended tenant: the three look the same."""

    code = "INVALID_API_KEY"
    default_message = "The API key is not valid."


class CredentialsMissing(AuthenticationFailed):
    code = "MISSING_CREDENTIALS"
    default_message = "Send an API key: X-TENANT-API-KEY, or Authorization: Bearer <key>."


class TenantIdMissing(AuthenticationFailed):
    code = "MISSING_TENANT_ID"
    default_message = "Send the tenant's id: X-TENANT-ID."


class InvalidTenant(AuthenticationFailed):
    """Unknown or suspended: the two look the same."""

    code = "INVALID_TENANT"
    default_message = "The tenant is not valid."


class NotAMember(GatewayError):
    """The user does not act for this tenant, or is suspended there."""

    http_status = 403
    code = "FORBIDDEN"
    default_message = "You do not act for this tenant."


class ScopeMissing(GatewayError):
    """The member's role, or an API key alone, does not have the scope."""

    http_status = 403
    code = "SCOPE_MISSING"
    default_message = "Missing required scope."


class AuthenticationTimeout(AuthenticationFailed):
    """A Socket.IO client that neither signed in nor watches a payment."""

    code = "AUTHENTICATION_TIMEOUT"
    default_message = "Sign in or subscribe to a transaction within 10 seconds after connecting."


class InvalidCredentials(AuthenticationFailed):
    code = "INVALID_CREDENTIALS"
    default_message = "E-mail or password is wrong."


class PermissionDenied(GatewayError):
    http_status = 403
    code = "PERMISSION_DENIED"
    default_message = "You may not do this."
    is_answer = True


class HostRefused(GatewayError):
    """The request came to a demo under a name that is not this machine's (DNS rebinding)."""

    http_status = 403
    code = "HOST_REFUSED"
    default_message = "This host is not served here."


class KycRequired(GatewayError):
    http_status = 403
    code = "KYC_REQUIRED"
    default_message = "Identity verification is required for this amount."
    is_answer = True


class NotFound(GatewayError):
    """It does not exist or belongs to another owner: the caller cannot tell which."""

    http_status = 404
    code = "NOT_FOUND"
    default_message = "Not found."


class AccountNotFound(NotFound):
    code = "ACCOUNT_NOT_FOUND"
    default_message = "Account not found."


class PaymentNotFound(NotFound):
    code = "PAYMENT_NOT_FOUND"
    default_message = "Payment not found."


class RecipientNotFound(NotFound):
    code = "RECIPIENT_NOT_FOUND"
    default_message = "The recipient has no wallet here."
    is_answer = True


class CustomerNotFound(NotFound):
    code = "CUSTOMER_NOT_FOUND"
    default_message = "Customer not found."


class TransactionNotFound(NotFound):
    """The payment does not exist or belongs to another tenant."""

    code = "TRANSACTION_NOT_FOUND"
    default_message = "Transaction not found"


class NotRefundable(GatewayError):
    """The payment's status or what is left of it does not allow this refund. Changes nothing."""

    code = "NOT_REFUNDABLE"
    default_message = "Can only refund completed transactions"
    is_answer = True


class WithdrawalAltered(GatewayError):
    """What is stored is not what was requested: nothing is paid, and an operator is alerted."""

    http_status = 409
    code = "WITHDRAWAL_ALTERED"
    default_message = (
        "The withdrawal is not what was requested. Nothing was paid, and an operator was alerted."
    )


class WithdrawalFailed(GatewayError):
    """The provider refused the payout, or was not reached: nothing was paid, and the hold is released."""

    http_status = 500
    code = "WITHDRAWAL_FAILED"
    default_message = "Failed to process withdrawal"


class NotCancellable(GatewayError):
    code = "NOT_CANCELLABLE"
    default_message = "This payment can no longer be cancelled."


class ProviderNotConfigured(InvalidRequest):
    code = "PROVIDER_NOT_CONFIGURED"
    default_message = "This provider is not configured."


class ProviderUnreachable(GatewayError):
    """The provider could not be asked now. Nothing was changed; ask again later."""

    http_status = 502
    code = "PROVIDER_UNREACHABLE"
    default_message = "The payment provider cannot be reached; try again."


class ForgedCallbackRefused(AuthenticationFailed):
    code = "SIGNATURE_INVALID"
    default_message = "The signature is not valid."


class CallbackSenderRefused(ForgedCallbackRefused):
    """It came from an address that is not on the account's list."""

    default_message = "Callbacks are not accepted from this address."


class CurrencyMismatch(GatewayError):
    code = "CURRENCY_MISMATCH"
    default_message = "The wallets are not in the same currency."
    is_answer = True


class SameAccount(InvalidRequest):
    default_message = "Source and destination are the same wallet."
    is_answer = True
    sql_code = "SAME_ACCOUNT"


class InsufficientBalance(GatewayError):
    code = "INSUFFICIENT_BALANCE"
    default_message = "The wallet's available balance does not cover this amount."
    is_answer = True


class DailyLimitExceeded(GatewayError):
    code = "DAILY_LIMIT_EXCEEDED"
    default_message = "This would exceed your daily or monthly transaction limit."
    is_answer = True


class ProviderEventNotFound(NotFound):
    code = "WEBHOOK_EVENT_NOT_FOUND"
    default_message = "Webhook event not found"


class ProviderEventNotRetryable(GatewayError):
    """It was processed: its result stands, and processing it again would change nothing."""

    http_status = 409
    code = "WEBHOOK_EVENT_PROCESSED"
    default_message = "This webhook event has been processed."


class EmailExists(GatewayError):
    http_status = 409
    code = "EMAIL_EXISTS"
    default_message = "An account with this e-mail exists."


class CustomerExists(GatewayError):
    """Its id, or the tenant's own reference of it, is another customer's."""

    http_status = 409
    code = "CUSTOMER_EXISTS"
    default_message = "There is a customer with this id or reference."


class IdempotencyConflict(GatewayError):
    """Another request with this key is still running: retry after `retry_after_s`."""

    http_status = 409
    code = "IDEMPOTENCY_CONFLICT"
    default_message = "A request with this Idempotency-Key is still running."


class IdempotencyKeyReused(GatewayError):
    http_status = 422
    code = "IDEMPOTENCY_KEY_REUSED"
    default_message = "This Idempotency-Key was used with another request body."


class RateLimitExceeded(GatewayError):
    http_status = 429
    code = "RATE_LIMIT_EXCEEDED"
    default_message = "Too many requests."


class ServiceUnavailable(GatewayError):
    """The database or another part is not available. The change may have been committed: retry with the same key."""

    http_status = 503
    code = "SERVICE_UNAVAILABLE"
    default_message = "The service is briefly unavailable; try again."

    def __init__(self, message: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("retry_after_s", 2)
        super().__init__(message, **kwargs)


def refusal(code: str, *, replayed: bool = False, **facts: Any) -> GatewayError:
    """The error of a stored answer's code, or of a refusal by an SQL function; `facts`: its message, field, details. Raises
    KeyError when no error with `is_answer` has this code."""
    return _ANSWERS[code](replayed=replayed, **facts)
