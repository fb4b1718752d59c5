"""Direct funding: deposits and withdrawals that no provider makes, by the gateway's own decision.

Off where DIRECT_FUNDING is false (production): there providers move the money. Guarantees: a key moves money once; the
wallet and the external account change in one entry; a withdrawal never takes held money or more than there is.

Deposits have no single maximum (the tiers bound what is sent, not what is received); a wallet holds MAX_BALANCE_MINOR.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids, ledger
from app.errors import CurrencyMismatch, InvalidAmount, KycRequired, PermissionDenied
from app.events import outbox
from app.events.catalogue import EventType
from app.models import AccountBalance, DirectFunding, User
from app.money import Money
from app.principal import Principal
from app.services.idempotency_service import Answer, Claim, answer_once
from app.services.wallets import spending_limits, wallets

MAX_BALANCE_MINOR: Final = 10**13
"""A deposit that would raise a wallet above this many minor units is refused, so that every sum fits a bigint."""

Kind = Literal["deposit", "withdrawal"]

EVENT_TYPES: Final[dict[Kind, EventType]] = {
    "deposit": EventType.DEPOSIT_COMPLETED,
    "withdrawal": EventType.CASH_WITHDRAWAL_COMPLETED,
}


@dataclass(frozen=True, slots=True)
class FundingRequest:
    """A deposit or withdrawal as the client requests it.

    `amount`: a JSON number or decimal string in major units of the wallet's currency.
    `counterparty`: where a deposit comes from or a withdrawal goes to. `currency`: if given, must be the wallet's.
    """

    amount: object
    counterparty: str
    currency: str | None = None
    reference: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A deposit or withdrawal that was made. wallet: as it is afterwards. transaction_id: `txn_…`."""

    funding: DirectFunding
    wallet: AccountBalance
    transaction_id: str


def deposit(actor: Principal, wallet_id: str, request: FundingRequest, *, claim: Claim) -> Answer:
    """Deposit into the actor's wallet, frozen or not.

    Raises PermissionDenied (direct funding is off), AccountNotFound, InvalidAmount, CurrencyMismatch, and
    answer_once's errors.
    """
    _require_direct_funding()
    now = clock.now()

    def act(session: Session) -> Receipt:
        wallet, amount = _asked(session, actor, wallet_id, request)
        if wallet.balance + amount.amount_minor > MAX_BALANCE_MINOR:
            most = Money(MAX_BALANCE_MINOR, wallet.currency)
            raise InvalidAmount(f"A wallet holds at most {most} {wallet.currency}.", field="amount")
        return _post(session, "deposit", actor=actor, wallet=wallet, amount=amount, request=request, now=now)

    return answer_once(claim, act)


def withdraw(actor: Principal, wallet_id: str, request: FundingRequest, *, claim: Claim) -> Answer:
    """Withdraw from the actor's wallet.

    Checked in this order: amount and single maximum (InvalidAmount), KYC tier 1 or higher (KycRequired), frozen
    (PermissionDenied), available balance (InsufficientBalance). Also raises what `deposit` raises. Withdrawals do not
    count into the daily and monthly limits, which are the limits of payments.
    """
    _require_direct_funding()
    now = clock.now()

    def act(session: Session) -> Receipt:
        wallet, amount = _asked(session, actor, wallet_id, request)
        spending_limits.usd_within_single_maximum(amount, current_app.config["USD_RATES"])
        tier = session.scalars(select(User.tier).where(User.id == actor.user_id)).one()
        if tier < 1:
            raise KycRequired("Verify your identity before withdrawing.")
        return _post(
            session, "withdrawal", actor=actor, wallet=wallet, amount=amount, request=request, now=now
        )

    return answer_once(claim, act)


def _require_direct_funding() -> None:
    if not current_app.config["DIRECT_FUNDING"]:
        raise PermissionDenied("Wallets are funded through a payment provider here.")


def _asked(
    session: Session, actor: Principal, wallet_id: str, request: FundingRequest
) -> tuple[AccountBalance, Money]:
    wallet = wallets.owned(session, actor.user_id, wallet_id)
    if request.currency not in (None, wallet.currency):
        raise CurrencyMismatch(f"This wallet is in {wallet.currency}.", field="currency")
    return wallet, Money.parse(request.amount, wallet.currency)


def _post(
    session: Session,
    kind: Kind,
    *,
    actor: Principal,
    wallet: AccountBalance,
    amount: Money,
    request: FundingRequest,
    now: datetime,
) -> Receipt:
    funding_id = ids.uuid7()
    change = amount.amount_minor if kind == "deposit" else -amount.amount_minor
    outside = wallets.external_account(session, wallet.currency)
    posted = ledger.post(
        session,
        kind,
        ref_id=funding_id,
        now=now,
        currency=wallet.currency,
        amounts={wallet.id: change, outside: -change},
    )
    funding = DirectFunding(
        id=funding_id,
        kind=kind,
        user_id=actor.user_id,
        account_id=wallet.id,
        entry_id=posted.entry_id,
        amount=amount.amount_minor,
        currency=wallet.currency,
        counterparty=request.counterparty,
        reference=request.reference,
        description=request.description,
        created_at=now,
    )
    session.add(funding)
    transaction_id = ids.public(ids.TRANSACTION, posted.entry_id)
    outbox.record(
        session,
        EVENT_TYPES[kind],
        object_id=transaction_id,
        now=now,
        actor=actor,
        data={
            "status": "completed",
            "amount_minor": amount.amount_minor,
            "currency": wallet.currency,
            "wallet_id": wallet.public_id,
            "user": ids.public(ids.USER, actor.user_id),
        },
    )
    after = wallets.owned(session, actor.user_id, wallet.public_id)
    return Receipt(funding, after, transaction_id)
