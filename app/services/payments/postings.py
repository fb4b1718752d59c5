"""What provider payments post to the ledger. A positive amount raises what the account's owner has.

Collected money: clearing:<provider> falls (the provider owes us more), the tenant's account gets the net, the platform the
fee. Suspense holds money that fits no payment, so that clearing always equals what the provider has collected and refunded.
"""

from __future__ import annotations

import uuid

from app.ledger.chart import ChartAccount, platform_account, tenant_direct, tenant_suspense, tenant_wallet
from app.models.account import AccountKind
from app.models.dispute import Dispute, DisputeState
from app.models.payment import PaymentAttempt, Refund, RefundState
from app.money import Money
from app.services.payments.rows import PaymentRows, PaymentWrites

Amounts = dict[ChartAccount, int]


def post_collected(writes: PaymentWrites, attempt: PaymentAttempt) -> int:
    """Post what was collected: the net to the tenant, the fee to the platform. Returns the fee, minor units."""
    payment = writes.rows.payment
    gross = Money(payment.amount, payment.currency)
    fee = writes.reference.payment_fee(payment.tenant_id, attempt.provider, gross)
    amounts = {clearing(attempt, gross.currency): -gross.amount_minor}
    amounts |= _to_tenant(payment.tenant_id, attempt, gross, fee=fee)
    writes.post("payment", ref_id=attempt.id, currency=gross.currency, amounts=amounts)
    return fee


def post_suspense(writes: PaymentWrites, attempt: PaymentAttempt, collected: Money) -> None:
    """Post collected money that does not fit the payment, in the currency that was collected: an operator decides about it."""
    amounts = {
        clearing(attempt, collected.currency): -collected.amount_minor,
        _suspense(writes, collected.currency): collected.amount_minor,
    }
    writes.post("suspense", ref_id=attempt.id, currency=collected.currency, amounts=amounts)


def post_suspense_release(writes: PaymentWrites, attempt: PaymentAttempt, collected: Money) -> int:
    """An operator released money from suspense to the tenant. Returns the fee, minor units."""
    tenant_id = writes.rows.payment.tenant_id
    fee = writes.reference.payment_fee(tenant_id, attempt.provider, collected)
    amounts = {_suspense(writes, collected.currency): -collected.amount_minor}
    amounts |= _to_tenant(tenant_id, attempt, collected, fee=fee)
    writes.post("suspense_release", ref_id=attempt.id, currency=collected.currency, amounts=amounts)
    return fee


def hold_refund(writes: PaymentWrites, refund: Refund, attempt: PaymentAttempt) -> None:
    """Set the refund's amount aside. The ledger refuses what the tenant does not have."""
    writes.hold(refund.id, _wallet(refund.tenant_id, attempt, refund.currency), refund.amount)


def post_refund(writes: PaymentWrites, refund: Refund, attempt: PaymentAttempt) -> None:
    """The provider refunded the customer: the held amount leaves the tenant, the provider owes us less."""
    amounts = {
        _source(writes, refund, attempt): -refund.amount,
        clearing(attempt, refund.currency): refund.amount,
    }
    capture = None if refund.is_from_suspense else refund.id
    writes.post("refund", ref_id=refund.id, currency=refund.currency, amounts=amounts, capture=capture)


def post_external_refund(writes: PaymentWrites, refund: Refund, attempt: PaymentAttempt) -> None:
    """Post a refund that was made at the provider. Like a reversal it is never refused."""
    if refund.is_from_suspense:
        amounts = {_suspense(writes, refund.currency): -refund.amount}
    else:
        amounts = _from_tenant(writes, attempt, Money(refund.amount, refund.currency))
    amounts[clearing(attempt, refund.currency)] = refund.amount
    writes.post("refund", ref_id=refund.id, currency=refund.currency, amounts=amounts)


def post_returned_refund(writes: PaymentWrites, refund: Refund, attempt: PaymentAttempt) -> None:
    """A completed refund did not reach the customer: the provider and the tenant have the money again."""
    amounts = {
        _source(writes, refund, attempt): refund.amount,
        clearing(attempt, refund.currency): -refund.amount,
    }
    writes.post("refund_return", ref_id=refund.id, currency=refund.currency, amounts=amounts)


def release_refund(writes: PaymentWrites, refund: Refund) -> None:
    """The refund failed: its amount is available to the tenant again."""
    if not refund.is_from_suspense:
        writes.release(refund.id)


def post_reversal(writes: PaymentWrites, attempt: PaymentAttempt) -> None:
    """The provider reversed the payment, or what was left of it after refunds. Never refused."""
    payment = writes.rows.payment
    taken = Money(payment.amount - payment.refunded, payment.currency)
    amounts = {clearing(attempt, taken.currency): taken.amount_minor}
    amounts |= _from_tenant(writes, attempt, taken)
    writes.post("reversal", ref_id=attempt.id, currency=taken.currency, amounts=amounts)


def post_suspense_reversal(writes: PaymentWrites, attempt: PaymentAttempt, waiting: Money) -> None:
    """The provider reversed what was in suspense."""
    amounts = {
        _suspense(writes, waiting.currency): -waiting.amount_minor,
        clearing(attempt, waiting.currency): waiting.amount_minor,
    }
    writes.post("reversal", ref_id=attempt.id, currency=waiting.currency, amounts=amounts)


def hold_dispute(writes: PaymentWrites, dispute: Dispute, attempt: PaymentAttempt) -> int:
    """Set aside what the tenant has of the disputed amount, at most what is left of the payment. Returns it, minor units."""
    payment = writes.rows.payment
    others = sum(
        one.held or (one.amount if one.state == DisputeState.LOST else 0) for one in writes.rows.disputes
    )
    most = min(dispute.amount, payment.amount - payment.refund_reserved - others)
    wallet = _wallet(dispute.tenant_id, attempt, dispute.currency)
    there = writes.take_what_is_there(wallet, most) if most > 0 else 0
    if there:
        writes.hold(dispute.id, wallet, there)
    return there


def post_dispute(writes: PaymentWrites, dispute: Dispute, attempt: PaymentAttempt) -> int:
    """The dispute is lost: what is held for it leaves the tenant, and what more there is; the rest is owed. Never refused.
    Returns what is owed, minor units."""
    wallet = _wallet(dispute.tenant_id, attempt, dispute.currency)
    from_hold = min(dispute.held, dispute.amount)
    rest = dispute.amount - from_hold
    more = writes.take_what_is_there(wallet, rest) if rest else 0
    owed = rest - more
    amounts = {clearing(attempt, dispute.currency): dispute.amount}
    if from_hold or more:
        amounts[wallet] = -(from_hold + more)
    if owed:
        amounts[_debt(dispute.tenant_id, dispute.currency)] = -owed
    # A hold is captured, also where the account is frozen; one that does not cover the debit is freed for it.
    is_captured = from_hold > 0 and not more
    if dispute.held and not is_captured:
        writes.release(dispute.id)
    capture = dispute.id if is_captured else None
    writes.post("dispute", ref_id=dispute.id, currency=dispute.currency, amounts=amounts, capture=capture)
    return owed


def post_dispute_return(writes: PaymentWrites, dispute: Dispute, attempt: PaymentAttempt) -> None:
    """A lost dispute was won after all: the entry of its loss with the signs turned."""
    amounts = {clearing(attempt, dispute.currency): -dispute.amount}
    if dispute.owed:
        amounts[_debt(dispute.tenant_id, dispute.currency)] = dispute.owed
    if taken := dispute.amount - dispute.owed:
        amounts[_wallet(dispute.tenant_id, attempt, dispute.currency)] = taken
    writes.post("dispute_return", ref_id=dispute.id, currency=dispute.currency, amounts=amounts)


def unmatched_amount(rows: PaymentRows, attempt: PaymentAttempt) -> Money | None:
    """What an attempt has collected that is in suspense and that no decision or refund is about yet."""
    if attempt.collected_money is None or not rows.was_posted(attempt, "suspense"):
        return None
    if rows.was_posted(attempt, "suspense_release", "reversal"):
        return None
    is_refunded = any(
        refund.is_from_suspense and refund.state != RefundState.FAILED for refund in rows.refunds_of(attempt)
    )
    return None if is_refunded else attempt.collected_money


def clearing(attempt: PaymentAttempt, currency: str) -> ChartAccount:
    """What a provider holds for us on one provider account, with the sign reversed: it falls when the provider collects."""
    own = f".{attempt.account_id.hex[:12]}" if attempt.account_id else ""
    return platform_account(AccountKind.CLEARING, f"{attempt.provider}{own}", currency)


def _suspense(writes: PaymentWrites, currency: str) -> ChartAccount:
    return tenant_suspense(writes.rows.payment.tenant_id, currency)


def _source(writes: PaymentWrites, refund: Refund, attempt: PaymentAttempt) -> ChartAccount:
    """The account that pays a refund, and is credited when it is returned."""
    if refund.is_from_suspense:
        return _suspense(writes, refund.currency)
    return _wallet(refund.tenant_id, attempt, refund.currency)


def _wallet(tenant_id: uuid.UUID, attempt: PaymentAttempt, currency: str) -> ChartAccount:
    """The tenant's account. What it collects on a provider account of its own is never paid to the platform: it is counted
    apart from the balance that can be paid out."""
    if attempt.account_id is not None:
        return tenant_direct(tenant_id, currency)
    return tenant_wallet(tenant_id, currency)


def _to_tenant(tenant_id: uuid.UUID, attempt: PaymentAttempt, gross: Money, *, fee: int) -> Amounts:
    """Postings of collected money. On a provider account of its own the tenant has all of it, and owes the platform the fee."""
    is_own = attempt.account_id is not None
    postings: Amounts = {}
    if given := gross.amount_minor - (0 if is_own else fee):
        postings[_wallet(tenant_id, attempt, gross.currency)] = given
    if fee:
        postings[platform_account(AccountKind.FEES, "", gross.currency)] = fee
    if fee and is_own:
        postings[_debt(tenant_id, gross.currency)] = -fee
    return postings


def _from_tenant(writes: PaymentWrites, attempt: PaymentAttempt, taken: Money) -> Amounts:
    """Postings of money that the provider has taken from the tenant: what the tenant does not have, it owes."""
    tenant_id = writes.rows.payment.tenant_id
    wallet = _wallet(tenant_id, attempt, taken.currency)
    there = writes.take_what_is_there(wallet, taken.amount_minor)
    postings: Amounts = {wallet: -there} if there else {}
    if owed := taken.amount_minor - there:
        postings[_debt(tenant_id, taken.currency)] = -owed
    return postings


def _debt(tenant_id: uuid.UUID, currency: str) -> ChartAccount:
    """What the tenant owes the platform, with the sign reversed. Nothing settles it automatically."""
    return platform_account(AccountKind.RECEIVABLE, str(tenant_id), currency)
