"""Tables, one file for each aggregate. Ledger tables are read here and written only by SQL functions (app/ledger/sql)."""

from app.models.account import Account, AccountBalance
from app.models.api_request import ApiRequest
from app.models.booking import Booking, Listing, ReservedNight
from app.models.customer import Customer, PaymentMethod
from app.models.direct_funding import DirectFunding
from app.models.dispute import Dispute
from app.models.event import Event, OutboxRow, RelayState
from app.models.fee_rule import FeeRule
from app.models.idempotency import IdempotencyRecord
from app.models.job import Job
from app.models.kyc import KycDocument, KycRequest
from app.models.ledger import BalanceMark, Entry, Hold, Posting, Spending, Unfolded
from app.models.member import Invitation, Member
from app.models.notification import Notification
from app.models.oauth import OAuthClient, OAuthGrant, OAuthToken
from app.models.order import Order
from app.models.payment import Payment, PaymentAttempt, Refund
from app.models.payment_review import PaymentReview
from app.models.provider_event import ProviderEvent
from app.models.reference_data import ReferenceVersion
from app.models.tenant import ApiKey, ProviderAccount, Tenant
from app.models.user import EmailConfirmation, PasswordAttempts, User, UserSession
from app.models.wallet_payment import WalletPayment
from app.models.webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from app.models.withdrawal import (
    ApprovalBand,
    Payout,
    PayoutDestination,
    Withdrawal,
    WithdrawalApproval,
    WithdrawalMinimum,
    WithdrawalReview,
)

__all__ = [
    "Account",
    "AccountBalance",
    "ApiKey",
    "ApiRequest",
    "ApprovalBand",
    "BalanceMark",
    "Booking",
    "Customer",
    "DirectFunding",
    "Dispute",
    "EmailConfirmation",
    "Entry",
    "Event",
    "FeeRule",
    "Hold",
    "IdempotencyRecord",
    "Invitation",
    "Job",
    "KycDocument",
    "KycRequest",
    "Listing",
    "Member",
    "Notification",
    "OAuthClient",
    "OAuthGrant",
    "OAuthToken",
    "Order",
    "OutboxRow",
    "PasswordAttempts",
    "Payment",
    "PaymentAttempt",
    "PaymentMethod",
    "PaymentReview",
    "Payout",
    "PayoutDestination",
    "Posting",
    "ProviderAccount",
    "ProviderEvent",
    "ReferenceVersion",
    "Refund",
    "RelayState",
    "ReservedNight",
    "Spending",
    "Tenant",
    "Unfolded",
    "User",
    "UserSession",
    "WalletPayment",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Withdrawal",
    "WithdrawalApproval",
    "WithdrawalMinimum",
    "WithdrawalReview",
]
