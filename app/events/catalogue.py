"""Every event name, once. Past tense or a state, `<noun>.<what>`; contracts name some of them (CONTRACT)."""

from __future__ import annotations

from typing import Final

USER_REGISTERED: Final = "user.registered"
USER_LOGGED_IN: Final = "user.logged_in"
USER_LOGGED_OUT: Final = "user.logged_out"
SESSION_REVOKED: Final = "session.revoked"

USER_SUSPENDED: Final = "user.suspended"
USER_REACTIVATED: Final = "user.reactivated"
USER_DISABLED: Final = "user.disabled"
"""For good: of a demo's user, when the demo is purged."""

USER_SCOPE_GRANTED: Final = "user.scope_granted"
USER_SCOPE_REVOKED: Final = "user.scope_revoked"

TENANT_CREATED: Final = "tenant.created"
TENANT_SUSPENDED: Final = "tenant.suspended"
TENANT_REACTIVATED: Final = "tenant.reactivated"
API_KEY_CREATED: Final = "api_key.created"
API_KEY_REVOKED: Final = "api_key.revoked"
FEE_RULE_SET: Final = "fee_rule.set"
FEE_RULE_REMOVED: Final = "fee_rule.removed"

WALLET_OPENED: Final = "wallet.opened"
WALLET_FROZEN: Final = "wallet.frozen"
WALLET_THAWED: Final = "wallet.thawed"
DEPOSIT_COMPLETED: Final = "deposit.completed"
CASH_WITHDRAWAL_COMPLETED: Final = "cash_withdrawal.completed"

WALLET_PAYMENT_PENDING: Final = "wallet_payment.pending"
WALLET_PAYMENT_COMPLETED: Final = "wallet_payment.completed"
WALLET_PAYMENT_FAILED: Final = "wallet_payment.failed"

PAYMENT_INITIATED: Final = "payment.initiated"
PAYMENT_PROCESSING: Final = "payment.processing"
PAYMENT_COMPLETED: Final = "payment.completed"
PAYMENT_FAILED: Final = "payment.failed"
PAYMENT_CANCELLED: Final = "payment.cancelled"
PAYMENT_REVERSED: Final = "payment.reversed"
PAYMENT_FAILED_OVER: Final = "payment.failed_over"
"""The provider did nothing, and the payment goes on at another one (provider `auto`)."""

PAYMENT_VERIFICATION_FAILED: Final = "payment.verification_failed"
PAYMENT_REVIEW: Final = "payment.review"
"""A person must look: money came late, or another amount, or nobody can be asked."""

PAYMENT_REVIEWED: Final = "payment.reviewed"
"""A person has looked."""

REFUND_INITIATED: Final = "refund.initiated"
REFUND_PROCESSING: Final = "refund.processing"
REFUND_COMPLETED: Final = "refund.completed"
REFUND_FAILED: Final = "refund.failed"

LEDGER_DISAGREES: Final = "ledger.disagrees"
"""The daily check found what `flask ledger check` lists."""

PROVIDER_EVENT_RETRIED: Final = "provider_event.retried"
JOB_REPLAYED: Final = "job.replayed"
PROVIDER_ACCOUNT_SET: Final = "provider_account.set"
PROVIDER_ACCOUNT_REMOVED: Final = "provider_account.removed"

PRODUCTION_STARTED: Final = "installation.production_started"
"""The first production process on this database: it is never a demo's again."""

KYC_SUBMITTED: Final = "kyc.submitted"
KYC_DOCUMENT_UPLOADED: Final = "kyc.document_uploaded"
KYC_UNDER_REVIEW: Final = "kyc.under_review"
KYC_VERIFIED: Final = "kyc.verified"
KYC_REJECTED: Final = "kyc.rejected"

WALLET_PAYMENT_EVENTS: Final = frozenset(
    {WALLET_PAYMENT_PENDING, WALLET_PAYMENT_COMPLETED, WALLET_PAYMENT_FAILED}
)

PROVIDER_PAYMENT_EVENTS: Final = frozenset(
    {
        PAYMENT_INITIATED,
        PAYMENT_PROCESSING,
        PAYMENT_COMPLETED,
        PAYMENT_FAILED,
        PAYMENT_CANCELLED,
        PAYMENT_REVERSED,
        PAYMENT_VERIFICATION_FAILED,
        PAYMENT_REVIEW,
        PAYMENT_REVIEWED,
        REFUND_INITIATED,
        REFUND_PROCESSING,
        REFUND_COMPLETED,
        REFUND_FAILED,
    }
)
