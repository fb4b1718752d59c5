"""Tables, one file per aggregate. Ledger tables are read here and written only by SQL functions (app/ledger/sql)."""

from app.models.account import Account, AccountBalance
from app.models.cash_movement import CashMovement
from app.models.event import Event, OutboxRow, RelayState
from app.models.idempotency import IdempotencyRecord
from app.models.job import Job
from app.models.kyc import KycDocument, KycRequest
from app.models.ledger import Entry, Hold, Posting, Spending, Unfolded
from app.models.user import User, UserSession
from app.models.wallet_payment import WalletPayment

__all__ = [
    "Account", "AccountBalance", "CashMovement", "Entry", "Event", "Hold", "IdempotencyRecord", "Job", "KycDocument",
    "KycRequest", "OutboxRow", "Posting", "RelayState", "Spending", "Unfolded", "User", "UserSession", "WalletPayment",
]  # fmt: skip
