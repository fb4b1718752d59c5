"""Every event type, once. Past tense or a state, `<noun>.<what>`. Clients see the public ones: docs/events.md."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    """Types of events."""

    USER_REGISTERED = "user.registered"
    USER_LOGGED_IN = "user.logged_in"
    USER_LOGGED_OUT = "user.logged_out"
    SESSION_REVOKED = "session.revoked"
    AUTH_FAILED = "auth.failed"
    """A wrong password: the first in a row, or one that begins a wait."""

    EMAIL_TOKEN_MADE = "user.email_token_made"  # noqa: S105 a type of event
    EMAIL_CONFIRMED = "user.email_confirmed"
    USER_SESSIONS_ENDED = "user.sessions_ended"
    USER_PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 a type of event

    USER_SUSPENDED = "user.suspended"
    USER_REACTIVATED = "user.reactivated"
    USER_DISABLED = "user.disabled"
    """For good: of a demo's user, when the demo is purged."""

    USER_SCOPE_GRANTED = "user.scope_granted"
    USER_SCOPE_REVOKED = "user.scope_revoked"

    TENANT_CREATED = "tenant.created"
    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_REACTIVATED = "tenant.reactivated"
    TENANT_TEST_DATA_RESET = "tenant.test_data_reset"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_SUSPENDED = "api_key.suspended"
    API_KEY_RESUMED = "api_key.resumed"
    OAUTH_CLIENT_CREATED = "oauth_client.created"
    OAUTH_CLIENT_SECRET_ROTATED = "oauth_client.secret_rotated"  # noqa: S105 a type of event
    OAUTH_CLIENT_DISABLED = "oauth_client.disabled"
    OAUTH_GRANT_CREATED = "oauth_grant.created"
    OAUTH_GRANT_REVOKED = "oauth_grant.revoked"
    OAUTH_TOKEN_REVOKED = "oauth_token.revoked"  # noqa: S105 a type of event
    MEMBER_INVITED = "member.invited"
    MEMBER_INVITATION_REVOKED = "member.invitation_revoked"
    MEMBER_JOINED = "member.joined"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    MEMBER_SUSPENDED = "member.suspended"
    MEMBER_RESUMED = "member.resumed"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_PREFERENCE_CHANGED = "customer.preference_changed"
    """Its preferred provider."""

    PAYMENT_METHOD_SAVED = "payment_method.saved"
    PAYMENT_METHOD_REMOVED = "payment_method.removed"
    PAYMENT_METHOD_DEFAULT_CHANGED = "payment_method.default_changed"
    FEE_RULE_SET = "fee_rule.set"
    FEE_RULE_REMOVED = "fee_rule.removed"
    APPROVAL_BAND_SET = "approval_band.set"
    APPROVAL_BAND_REMOVED = "approval_band.removed"
    WITHDRAWAL_MINIMUM_SET = "withdrawal_minimum.set"
    WITHDRAWAL_MINIMUM_REMOVED = "withdrawal_minimum.removed"

    WALLET_OPENED = "wallet.opened"
    WALLET_FROZEN = "wallet.frozen"
    WALLET_THAWED = "wallet.thawed"
    DEPOSIT_COMPLETED = "deposit.completed"
    CASH_WITHDRAWAL_COMPLETED = "cash_withdrawal.completed"

    WALLET_PAYMENT_PENDING = "wallet_payment.pending"
    WALLET_PAYMENT_COMPLETED = "wallet_payment.completed"
    WALLET_PAYMENT_FAILED = "wallet_payment.failed"

    PAYMENT_INITIATED = "payment.initiated"
    PAYMENT_PROCESSING = "payment.processing"
    PAYMENT_COMPLETED = "payment.completed"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_CANCELLED = "payment.cancelled"
    PAYMENT_REVERSED = "payment.reversed"
    PAYMENT_FAILED_OVER = "payment.failed_over"
    """The provider did nothing, and the payment goes on at another one (provider `auto`)."""

    PAYMENT_TRY_FAILED = "payment.try_failed"
    """The customer's try to pay failed, and the page takes another: the payment stays open."""

    PAYMENT_VERIFICATION_FAILED = "payment.verification_failed"
    PAYMENT_REVIEW = "payment.review"
    """An operator must decide: money arrived late, in another amount, or the outcome cannot be found out."""

    PAYMENT_REVIEWED = "payment.reviewed"
    """An operator has closed the review."""

    REFUND_INITIATED = "refund.initiated"
    REFUND_PROCESSING = "refund.processing"
    REFUND_COMPLETED = "refund.completed"
    REFUND_FAILED = "refund.failed"

    DISPUTE_OPENED = "dispute.opened"
    """The customer's bank disputes a payment, or asks about one."""

    DISPUTE_UPDATED = "dispute.updated"
    DISPUTE_WON = "dispute.won"
    DISPUTE_LOST = "dispute.lost"
    DISPUTE_CLOSED = "dispute.closed"
    """It ended without a decision."""

    ORDER_CREATED = "order.created"
    ORDER_CANCELLED = "order.cancelled"

    LISTING_CREATED = "listing.created"
    LISTING_CHANGED = "listing.changed"
    LISTING_WITHDRAWN = "listing.withdrawn"
    BOOKING_CREATED = "booking.created"
    BOOKING_CONFIRMED = "booking.confirmed"
    BOOKING_CANCELLED = "booking.cancelled"

    WITHDRAWAL_INITIATED = "withdrawal.initiated"
    WITHDRAWAL_APPROVED = "withdrawal.approved"
    """One person's approval; where several are needed, each is one."""

    WITHDRAWAL_PROCESSING = "withdrawal.processing"
    WITHDRAWAL_COMPLETED = "withdrawal.completed"
    WITHDRAWAL_FAILED = "withdrawal.failed"
    WITHDRAWAL_CANCELED = "withdrawal.canceled"
    WITHDRAWAL_REVIEW = "withdrawal.review"
    """An operator must look: it was altered, or the payout's outcome cannot be found out."""

    WITHDRAWAL_REVIEWED = "withdrawal.reviewed"
    PAYOUT_DESTINATION_ADDED = "payout_destination.added"
    PAYOUT_DESTINATION_CONFIRMED = "payout_destination.confirmed"
    PAYOUT_METHOD_SET = "payout_method.set"

    WEBHOOK_ENDPOINT_CREATED = "webhook_endpoint.created"
    WEBHOOK_ENDPOINT_CHANGED = "webhook_endpoint.changed"
    WEBHOOK_ENDPOINT_SECRET_ROTATED = "webhook_endpoint.secret_rotated"  # noqa: S105 a type of event
    WEBHOOK_ENDPOINT_ENABLED = "webhook_endpoint.enabled"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    """By its merchant, or because it answered 410 or failed for days."""

    WEBHOOK_ENDPOINT_DELETED = "webhook_endpoint.deleted"
    WEBHOOK_REPLAYED = "webhook.replayed"
    """Events were requested to be sent again."""

    WEBHOOK_SIMULATED = "webhook.simulated"
    """A merchant's own payload, sent as if it were an event of the type that it names."""

    WEBHOOK_TESTED = "webhook.tested"
    """A message to one endpoint, which shows that it can be reached."""

    LEDGER_DISAGREES = "ledger.disagrees"
    """The daily check found what `flask ledger check` lists."""

    PROVIDER_EVENT_RETRIED = "provider_event.retried"
    JOB_REPLAYED = "job.replayed"
    PROVIDER_ACCOUNT_SET = "provider_account.set"
    PROVIDER_ACCOUNT_REMOVED = "provider_account.removed"

    PRODUCTION_STARTED = "installation.production_started"
    """The first production process on this database: it is never a demo's again."""

    KYC_SUBMITTED = "kyc.submitted"
    KYC_DOCUMENT_UPLOADED = "kyc.document_uploaded"
    KYC_UNDER_REVIEW = "kyc.under_review"
    KYC_VERIFIED = "kyc.verified"
    KYC_REJECTED = "kyc.rejected"


CREDENTIAL_ENDING_EVENTS: Final = frozenset(
    {
        EventType.USER_SUSPENDED,
        EventType.USER_DISABLED,
        EventType.TENANT_SUSPENDED,
        EventType.API_KEY_REVOKED,
        EventType.API_KEY_ROTATED,
        EventType.API_KEY_SUSPENDED,
    }
)
"""What an operator or a tenant ends: connections that were opened with such a credential get nothing of what follows in the log."""

WALLET_PAYMENT_EVENTS: Final = frozenset(
    {EventType.WALLET_PAYMENT_PENDING, EventType.WALLET_PAYMENT_COMPLETED, EventType.WALLET_PAYMENT_FAILED}
)

PROVIDER_PAYMENT_EVENTS: Final = frozenset(
    {
        EventType.PAYMENT_INITIATED,
        EventType.PAYMENT_PROCESSING,
        EventType.PAYMENT_COMPLETED,
        EventType.PAYMENT_FAILED,
        EventType.PAYMENT_CANCELLED,
        EventType.PAYMENT_REVERSED,
        EventType.PAYMENT_TRY_FAILED,
        EventType.PAYMENT_VERIFICATION_FAILED,
        EventType.PAYMENT_REVIEW,
        EventType.PAYMENT_REVIEWED,
        EventType.REFUND_INITIATED,
        EventType.REFUND_PROCESSING,
        EventType.REFUND_COMPLETED,
        EventType.REFUND_FAILED,
    }
)
