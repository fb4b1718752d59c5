"""What Stripe's decline codes and reasons mean in the gateway's own. A card that was reported lost or stolen, or fraud, is
`declined`: Stripe asks not to tell the customer.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.providers.base import FailureCode, FailureTable

FAILURES: Final = FailureTable(
    charges=MappingProxyType({
        "insufficient_funds": FailureCode.INSUFFICIENT_FUNDS,
        "card_velocity_exceeded": FailureCode.LIMIT_EXCEEDED,
        "withdrawal_count_limit_exceeded": FailureCode.LIMIT_EXCEEDED,
        "amount_too_large": FailureCode.INVALID_AMOUNT,
        "amount_too_small": FailureCode.INVALID_AMOUNT,
        "invalid_amount": FailureCode.INVALID_AMOUNT,
        "amount": FailureCode.INVALID_AMOUNT,
        "incorrect_pin": FailureCode.WRONG_PIN,
        "invalid_pin": FailureCode.WRONG_PIN,
        "offline_pin_required": FailureCode.AUTHENTICATION_FAILED,
        "online_or_offline_pin_required": FailureCode.AUTHENTICATION_FAILED,
        "authentication_required": FailureCode.AUTHENTICATION_FAILED,
        "authentication_not_handled": FailureCode.AUTHENTICATION_FAILED,
        "payment_intent_authentication_failure": FailureCode.AUTHENTICATION_FAILED,
        "approve_with_id": FailureCode.PROVIDER_UNAVAILABLE,
        "issuer_not_available": FailureCode.PROVIDER_UNAVAILABLE,
        "processing_error": FailureCode.PROVIDER_UNAVAILABLE,
        "reenter_transaction": FailureCode.PROVIDER_UNAVAILABLE,
        "try_again_later": FailureCode.PROVIDER_UNAVAILABLE,
        "duplicate_transaction": FailureCode.DUPLICATE_PAYMENT,
        "card_not_supported": FailureCode.INVALID_ACCOUNT,
        "currency_not_supported": FailureCode.INVALID_ACCOUNT,
        "invalid_account": FailureCode.INVALID_ACCOUNT,
        "new_account_information_available": FailureCode.INVALID_ACCOUNT,
        "transaction_not_allowed": FailureCode.INVALID_ACCOUNT,
        "service_not_allowed": FailureCode.INVALID_ACCOUNT,
        "expired_card": FailureCode.EXPIRED_CARD,
        "incorrect_cvc": FailureCode.INCORRECT_CARD,
        "invalid_cvc": FailureCode.INCORRECT_CARD,
        "incorrect_number": FailureCode.INCORRECT_CARD,
        "invalid_number": FailureCode.INCORRECT_CARD,
        "invalid_expiry_month": FailureCode.INCORRECT_CARD,
        "invalid_expiry_year": FailureCode.INCORRECT_CARD,
        "incorrect_zip": FailureCode.INCORRECT_CARD,
        "incorrect_address": FailureCode.INCORRECT_CARD,
        "expired": FailureCode.TIMEOUT,
    }),
    refunds=MappingProxyType({
        "expired_or_canceled_card": FailureCode.INVALID_ACCOUNT,
        "lost_or_stolen_card": FailureCode.INVALID_ACCOUNT,
        "insufficient_funds": FailureCode.INSUFFICIENT_FUNDS,
        "declined": FailureCode.DECLINED,
        "merchant_request": FailureCode.CANCELLED,
    }),
)  # fmt: skip
