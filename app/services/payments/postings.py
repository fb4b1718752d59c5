"""What provider payments post to the ledger. A positive amount raises what the account's owner has.

Collected money: clearing:<provider> falls (the provider owes us more), the tenant's account gets the net, the platform the
fee. Suspense holds money that fits no payment, so that clearing always equals what the provider has collected and refunded.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import ledger
from app.ledger.chart import platform_account, tenant_direct, tenant_suspense, tenant_wallet
from app.models.account import AccountId, AccountKind
from app.models.payment import Payment, PaymentAttempt, Refund, RefundState
from app.money import Money
from app.services.tenants import fees


def post_collected(session: Session, payment: Payment, attempt: PaymentAttempt, *, now: datetime) -> int:
    """Post what was collected: the net to the tenant, the fee to the platform. Returns the fee, minor units."""
    gross = Money(payment.amount, payment.currency)
    fee = fees.payment_fee(session, tenant_id=payment.tenant_id, provider=attempt.provider, amount=gross)
    amounts = {clearing(session, attempt, payment.currency): -gross.amount_minor}
    amounts |= _to_tenant(session, payment, attempt, gross, fee=fee)
    _post(session, "payment", attempt.id, payment, now=now, currency=payment.currency, amounts=amounts)
    return fee


def post_suspense(
    session: Session, payment: Payment, attempt: PaymentAttempt, collected: Money, *, now: datetime
) -> None:
    """Post collected money that does not fit the payment, in the currency that was collected: an operator decides about it."""
    amounts = {
        clearing(session, attempt, collected.currency): -collected.amount_minor,
        tenant_suspense(session, payment.tenant_id, collected.currency): collected.amount_minor,
    }
    _post(session, "suspense", attempt.id, payment, now=now, currency=collected.currency, amounts=amounts)


def post_suspense_release(
    session: Session, payment: Payment, attempt: PaymentAttempt, collected: Money, *, now: datetime
) -> int:
    """An operator released money from suspense to the tenant. Returns the fee, minor units."""
    fee = fees.payment_fee(session, tenant_id=payment.tenant_id, provider=attempt.provider, amount=collected)
    amounts = {tenant_suspense(session, payment.tenant_id, collected.currency): -collected.amount_minor}
    amounts |= _to_tenant(session, payment, attempt, collected, fee=fee)
    _post(
        session,
        "suspense_release",
        attempt.id,
        payment,
        now=now,
        currency=collected.currency,
        amounts=amounts,
    )
    return fee


def hold_refund(session: Session, refund: Refund, attempt: PaymentAttempt, *, now: datetime) -> None:
    """Set the refund's amount aside. Raises InsufficientBalance, PermissionDenied (frozen)."""
    account = _wallet(session, refund.tenant_id, attempt, refund.currency)
    ledger.hold(session, refund.id, account_id=account, amount=refund.amount, now=now)


def post_refund(
    session: Session, payment: Payment, refund: Refund, attempt: PaymentAttempt, *, now: datetime
) -> None:
    """The provider refunded the customer: the held amount leaves the tenant, the provider owes us less."""
    source = _source(session, refund, attempt)
    amounts = {source: -refund.amount, clearing(session, attempt, refund.currency): refund.amount}
    capture = None if refund.is_from_suspense else refund.id
    _post(
        session,
        "refund",
        refund.id,
        payment,
        now=now,
        currency=refund.currency,
        amounts=amounts,
        capture=capture,
    )


def post_external_refund(
    session: Session, payment: Payment, refund: Refund, attempt: PaymentAttempt, *, now: datetime
) -> None:
    """Post a refund that was made at the provider. Like a reversal it is never refused."""
    taken = Money(refund.amount, refund.currency)
    if refund.is_from_suspense:
        amounts = {tenant_suspense(session, refund.tenant_id, refund.currency): -refund.amount}
    else:
        amounts = _from_tenant(session, payment, attempt, taken)
    amounts[clearing(session, attempt, refund.currency)] = refund.amount
    _post(session, "refund", refund.id, payment, now=now, currency=refund.currency, amounts=amounts)


def post_returned_refund(
    session: Session, payment: Payment, refund: Refund, attempt: PaymentAttempt, *, now: datetime
) -> None:
    """A completed refund did not reach the customer: the provider and the tenant have the money again."""
    source = _source(session, refund, attempt)
    amounts = {source: refund.amount, clearing(session, attempt, refund.currency): -refund.amount}
    _post(session, "refund_return", refund.id, payment, now=now, currency=refund.currency, amounts=amounts)


def _source(session: Session, refund: Refund, attempt: PaymentAttempt) -> AccountId:
    """The account that pays a refund, and is credited when it is returned."""
    if refund.is_from_suspense:
        return tenant_suspense(session, refund.tenant_id, refund.currency)
    return _wallet(session, refund.tenant_id, attempt, refund.currency)


def release_refund(session: Session, refund: Refund, *, now: datetime) -> None:
    """The refund failed: its amount is available to the tenant again."""
    if not refund.is_from_suspense:
        ledger.release(session, refund.id, now=now)


def post_reversal(session: Session, payment: Payment, attempt: PaymentAttempt, *, now: datetime) -> None:
    """The provider reversed the payment, or what was left of it after refunds. Never refused."""
    taken = Money(payment.amount - payment.refunded, payment.currency)
    amounts = {clearing(session, attempt, payment.currency): taken.amount_minor}
    amounts |= _from_tenant(session, payment, attempt, taken)
    _post(session, "reversal", attempt.id, payment, now=now, currency=payment.currency, amounts=amounts)


def post_suspense_reversal(
    session: Session, payment: Payment, attempt: PaymentAttempt, waiting: Money, *, now: datetime
) -> None:
    """The provider reversed what was in suspense."""
    amounts = {
        tenant_suspense(session, payment.tenant_id, waiting.currency): -waiting.amount_minor,
        clearing(session, attempt, waiting.currency): waiting.amount_minor,
    }
    _post(session, "reversal", attempt.id, payment, now=now, currency=waiting.currency, amounts=amounts)


def unmatched_amount(session: Session, attempt: PaymentAttempt) -> Money | None:
    """What an attempt has collected that is in suspense and that no decision or refund is about yet."""
    if attempt.collected_money is None:
        return None
    kinds = ledger.entry_kinds(session, attempt.id)
    if "suspense" not in kinds or kinds & {"suspense_release", "reversal"}:
        return None
    refund = select(Refund.id).where(
        Refund.attempt_id == attempt.id, Refund.is_from_suspense, Refund.state != RefundState.FAILED
    )
    return attempt.collected_money if session.scalars(refund.limit(1)).first() is None else None


def clearing(session: Session, attempt: PaymentAttempt, currency: str) -> AccountId:
    """What a provider holds for us on one provider account, with the sign reversed: it falls when the provider collects."""
    own = f".{attempt.account_id.hex[:12]}" if attempt.account_id else ""
    return platform_account(session, AccountKind.CLEARING, f"{attempt.provider}{own}", currency)


def _wallet(session: Session, tenant_id: uuid.UUID, attempt: PaymentAttempt, currency: str) -> AccountId:
    """The tenant's account. What it collects on a provider account of its own is never paid to the platform: it is counted
    apart from the balance that can be paid out."""
    if attempt.account_id is not None:
        return tenant_direct(session, tenant_id, currency)
    return tenant_wallet(session, tenant_id, currency)


def _to_tenant(
    session: Session, payment: Payment, attempt: PaymentAttempt, gross: Money, *, fee: int
) -> dict[AccountId, int]:
    """Postings of collected money. On a provider account of its own the tenant has all of it, and owes the platform the fee."""
    is_own = attempt.account_id is not None
    postings = {}
    if given := gross.amount_minor - (0 if is_own else fee):
        postings[_wallet(session, payment.tenant_id, attempt, gross.currency)] = given
    if fee:
        postings[platform_account(session, AccountKind.FEES, "", gross.currency)] = fee
    if fee and is_own:
        postings[_debt(session, payment, gross.currency)] = -fee
    return postings


def _from_tenant(
    session: Session, payment: Payment, attempt: PaymentAttempt, taken: Money
) -> dict[AccountId, int]:
    """Postings of money that the provider has taken from the tenant: what the tenant does not have, it owes."""
    wallet = _wallet(session, payment.tenant_id, attempt, taken.currency)
    there = min(taken.amount_minor, ledger.lock_for_debit(session, wallet, needed=taken.amount_minor))
    postings = {wallet: -there} if there else {}
    if owed := taken.amount_minor - there:
        postings[_debt(session, payment, taken.currency)] = -owed
    return postings


def _debt(session: Session, payment: Payment, currency: str) -> AccountId:
    """What the tenant owes the platform, with the sign reversed. Nothing settles it automatically."""
    return platform_account(session, AccountKind.RECEIVABLE, str(payment.tenant_id), currency)


def _post(
    session: Session,
    kind: str,
    ref_id: uuid.UUID,
    payment: Payment,
    *,
    now: datetime,
    currency: str,
    amounts: dict[AccountId, int],
    capture: uuid.UUID | None = None,
) -> None:
    ledger.post(
        session,
        kind,
        ref_id=ref_id,
        now=now,
        currency=currency,
        amounts=amounts,
        tenant_id=payment.tenant_id,
        capture=capture,
    )
