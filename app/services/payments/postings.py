"""What provider payments do to the ledger. Positive raises what the owner has.

Collected: clearing:<provider> pays (it goes down: the provider owes us more), the tenant's wallet gets the net, the
house the fee. Suspense: money that fits no payment waits there, so that clearing always equals the provider's book.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import ledger
from app.ledger.chart import platform_account, tenant_direct, tenant_suspense, tenant_wallet
from app.models.account import AccountId, AccountKind
from app.models.payment import Payment, PaymentAttempt, Refund
from app.money import Money
from app.services.tenants import fees


def post_collected(session: Session, payment: Payment, attempt: PaymentAttempt, *, now: datetime) -> int:
    """The payment's money came: net to the tenant, fee to the house. Returns the fee, minor units."""
    gross = Money(payment.amount, payment.currency)
    fee = fees.payment_fee(session, tenant_id=payment.tenant_id, provider=attempt.provider, amount=gross)
    amounts = {clearing(session, attempt, payment.currency): -gross.amount_minor}
    amounts |= _to_tenant(session, payment, attempt, gross, fee=fee)
    _post(session, "payment", attempt.id, payment, now=now, currency=payment.currency, amounts=amounts)
    return fee


def post_suspense(
    session: Session, payment: Payment, attempt: PaymentAttempt, collected: Money, *, now: datetime
) -> None:
    """Money came that the payment cannot take as it is: it waits until an operator decides."""
    amounts = {
        clearing(session, attempt, collected.currency): -collected.amount_minor,
        tenant_suspense(session, payment.tenant_id, collected.currency): collected.amount_minor,
    }
    _post(session, "suspense", attempt.id, payment, now=now, currency=collected.currency, amounts=amounts)


def post_suspense_release(
    session: Session, payment: Payment, attempt: PaymentAttempt, collected: Money, *, now: datetime
) -> int:
    """An operator gave waiting money to the tenant. Returns the fee, minor units."""
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
    """The provider gave the money back: the held amount leaves the tenant, the provider owes us less."""
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
    """Somebody refunded at the provider: never refused, as a reversal."""
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
    """A completed refund did not reach the customer: the provider has the money again, and the tenant."""
    source = _source(session, refund, attempt)
    amounts = {source: refund.amount, clearing(session, attempt, refund.currency): -refund.amount}
    _post(session, "refund_return", refund.id, payment, now=now, currency=refund.currency, amounts=amounts)


def _source(session: Session, refund: Refund, attempt: PaymentAttempt) -> AccountId:
    """The account a refund's money comes from, and goes back to."""
    if refund.is_from_suspense:
        return tenant_suspense(session, refund.tenant_id, refund.currency)
    return _wallet(session, refund.tenant_id, attempt, refund.currency)


def release_refund(session: Session, refund: Refund, *, now: datetime) -> None:
    """The refund will not happen: the tenant has its money again."""
    if not refund.is_from_suspense:
        ledger.release(session, refund.id, now=now)


def post_reversal(session: Session, payment: Payment, attempt: PaymentAttempt, *, now: datetime) -> None:
    """The provider took the payment, or what was left of it after refunds, back by itself. Never refused."""
    taken = Money(payment.amount - payment.refunded, payment.currency)
    amounts = {clearing(session, attempt, payment.currency): taken.amount_minor}
    amounts |= _from_tenant(session, payment, attempt, taken)
    _post(session, "reversal", attempt.id, payment, now=now, currency=payment.currency, amounts=amounts)


def post_suspense_reversal(
    session: Session, payment: Payment, attempt: PaymentAttempt, waiting: Money, *, now: datetime
) -> None:
    """The provider took back what waited in suspense."""
    amounts = {
        tenant_suspense(session, payment.tenant_id, waiting.currency): -waiting.amount_minor,
        clearing(session, attempt, waiting.currency): waiting.amount_minor,
    }
    _post(session, "reversal", attempt.id, payment, now=now, currency=waiting.currency, amounts=amounts)


def unmatched_amount(session: Session, attempt: PaymentAttempt) -> Money | None:
    """What an attempt collected and nobody has decided about yet."""
    currency = session.execute(
        text(
            "SELECT e.currency FROM entries e WHERE e.ref_id = :attempt AND e.kind = 'suspense' "
            "AND NOT EXISTS (SELECT FROM entries r WHERE r.ref_id = :attempt AND r.kind IN ('suspense_release', 'reversal')) "
            "AND NOT EXISTS (SELECT FROM refunds f WHERE f.attempt_id = :attempt AND f.is_from_suspense AND f.state <> 'failed')"
        ),
        {"attempt": attempt.id},
    ).scalar()
    return Money(attempt.collected or 0, currency) if currency else None


def clearing(session: Session, attempt: PaymentAttempt, currency: str) -> AccountId:
    """What a provider holds for us on one account there, with the sign turned: it falls when the provider collects."""
    own = f".{attempt.account_id.hex[:12]}" if attempt.account_id else ""
    return platform_account(session, AccountKind.CLEARING, f"{attempt.provider}{own}", currency)


def _wallet(session: Session, tenant_id: uuid.UUID, attempt: PaymentAttempt, currency: str) -> AccountId:
    """Where the tenant's money is. What it collects on an account of its own never comes to the house: it is counted
    apart from the wallet that can be paid out."""
    if attempt.account_id is not None:
        return tenant_direct(session, tenant_id, currency)
    return tenant_wallet(session, tenant_id, currency)


def _to_tenant(
    session: Session, payment: Payment, attempt: PaymentAttempt, gross: Money, *, fee: int
) -> dict[AccountId, int]:
    """Postings of collected money. On an account of its own the tenant has all of it, and owes the house the fee."""
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
    """Postings of money that is gone whether the tenant has it or not: what it does not have, it owes."""
    wallet = _wallet(session, payment.tenant_id, attempt, taken.currency)
    there = min(taken.amount_minor, ledger.lock_for_debit(session, wallet, needed=taken.amount_minor))
    postings = {wallet: -there} if there else {}
    if owed := taken.amount_minor - there:
        postings[_debt(session, payment, taken.currency)] = -owed
    return postings


def _debt(session: Session, payment: Payment, currency: str) -> AccountId:
    """What the tenant owes the house, with the sign turned. Nothing settles it by itself."""
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
