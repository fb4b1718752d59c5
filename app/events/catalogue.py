"""Every event name, once. Past tense or a state, `<noun>.<what>`; contracts name some of them (CONTRACT)."""

from __future__ import annotations

from typing import Final

USER_REGISTERED: Final = "user.registered"
USER_LOGGED_IN: Final = "user.logged_in"
USER_LOGGED_OUT: Final = "user.logged_out"
SESSION_REVOKED: Final = "session.revoked"

WALLET_OPENED: Final = "wallet.opened"
WALLET_FROZEN: Final = "wallet.frozen"
WALLET_THAWED: Final = "wallet.thawed"
DEPOSIT_COMPLETED: Final = "deposit.completed"
CASH_WITHDRAWAL_COMPLETED: Final = "cash_withdrawal.completed"

WALLET_PAYMENT_PENDING: Final = "wallet_payment.pending"
WALLET_PAYMENT_COMPLETED: Final = "wallet_payment.completed"
WALLET_PAYMENT_FAILED: Final = "wallet_payment.failed"

KYC_SUBMITTED: Final = "kyc.submitted"
KYC_DOCUMENT_UPLOADED: Final = "kyc.document_uploaded"
KYC_UNDER_REVIEW: Final = "kyc.under_review"
KYC_VERIFIED: Final = "kyc.verified"
KYC_REJECTED: Final = "kyc.rejected"

WALLET_PAYMENT_EVENTS: Final = frozenset(
    {WALLET_PAYMENT_PENDING, WALLET_PAYMENT_COMPLETED, WALLET_PAYMENT_FAILED}
)
