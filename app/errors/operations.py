"""Refusals of what was asked for: payments, wallets, withdrawals, people."""

from __future__ import annotations

from app.errors.base import GatewayError, InvalidRequest, NotFound
from app.errors.credentials import AuthenticationFailed


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


class KycRequired(GatewayError):
    http_status = 403
    code = "KYC_REQUIRED"
    default_message = "Identity verification is required for this amount."
    is_answer = True


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


class NotInThisState(GatewayError):
    """What was asked for is not possible where the payment stands; document 003 answers 409."""

    http_status = 409
    code = "NOT_IN_THIS_STATE"
    default_message = "This is not possible in the payment's status."


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


class EndpointDisabled(GatewayError):
    """Nothing is sent to a webhook endpoint that is disabled."""

    http_status = 409
    code = "ENDPOINT_DISABLED"
    default_message = "This webhook endpoint is disabled; enable it first."
