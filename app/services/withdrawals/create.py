"""Requests withdrawals. Guarantees: what is requested is held at once, so that two requests never take more than there is; it
never changes afterwards; one Idempotency-Key requests one withdrawal."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app import clock, ids
from app.errors import GatewayError, IdempotencyConflict, InsufficientBalance, InvalidAmount, InvalidRequest
from app.events.catalogue import EventType
from app.models.idempotency import IdempotencyRecord
from app.models.tenant import Tenant
from app.models.withdrawal import PayoutDestination, Withdrawal, WithdrawalState
from app.money import Money
from app.principal import Principal
from app.providers.base import PayoutMethod, PayoutRequest, Provider
from app.providers.errors import RequestRejected
from app.services import reference_data
from app.services.idempotency_service import Answer, Claim, find, judge, replayed
from app.services.payouts import postings, routing
from app.services.withdrawals import destinations, digests, recording, rules
from app.services.withdrawals import rows as withdrawal_rows
from app.services.withdrawals.four_eyes import agreement
from app.services.withdrawals.rows import WithdrawalRows, WithdrawalWrites
from app.services.write_sets import store
from app.services.write_sets.rows import new_row
from app.services.write_sets.store import KeyKnown, ReferenceChanged, RowsChanged
from app.unit_of_work import reading

LEASE: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class WithdrawalRequest:
    """What a member asks for. amount: in major units, as Money.parse takes it. method, details: the destination.
    currency: None for the tenant's own."""

    amount: object
    method: str
    details: Mapping[str, object]
    notes: str | None = None
    currency: str | None = None


def initiate(member: Principal, request: WithdrawalRequest, claim: Claim) -> Answer:
    """Request a withdrawal, which others must approve. The claim presents an `Agreement`.

    Raises InvalidRequest, InvalidAmount, UnsupportedCurrency: nothing was stored, the key is free. Raises InsufficientBalance,
    PermissionDenied (the wallet is frozen), and what `judge` raises.
    """
    if (record := find(claim)) is not None:
        return _known(record, claim)
    for _ in range(store.MAX_TRIES):
        try:
            return _initiate(member, request, claim)
        except KeyKnown as known:
            return _known(known.record, claim)
        except ReferenceChanged:
            reference_data.renew()
        except RowsChanged:
            continue  # another request has added the destination
        except GatewayError as error:
            return store.refused(error, claim, known=lambda record: _known(record, claim))
    raise IdempotencyConflict("The tenant's settings are being changed; try again.", retry_after_s=1)


def _initiate(member: Principal, request: WithdrawalRequest, claim: Claim) -> Answer:
    with reading() as session:
        tenant = session.get_one(Tenant, member.tenant_id)
    amount = _amount(request, tenant)
    method = destinations.valid_method(request.method)
    provider = routing.provider_for(method, amount.currency)
    details = destinations.valid_details(method, request.details, amount.currency)
    reference = reference_data.latest()
    fee = rules.fee(reference, tenant.id, method, amount)
    _require_enough(amount, rules.minimum(tenant.id, method, amount.currency), fee, method)
    _require_payable(provider, method, details, amount - fee)
    destination, is_new = destinations.known_or_new(tenant.id, method, details, added_by=member.user_id)
    withdrawal = _new_withdrawal(member, request, amount, fee, method, destination)
    rows = WithdrawalRows(withdrawal, destination)
    if not is_new:
        rows.is_stored(destination)
    writes = WithdrawalWrites(rows, reference, withdrawal.created_at, member)
    writes.claim(claim, resource_id=withdrawal.id, lease=LEASE)
    postings.hold(writes)
    recording.record(writes, EventType.WITHDRAWAL_INITIATED, {"is_new_destination": is_new})
    answer = claim.present(agreement(rows))
    writes.answer(claim, answer, resource_id=withdrawal.id)
    try:
        store.apply(writes)
    except InsufficientBalance:
        raise _insufficient(tenant.id, amount) from None
    return answer


def _amount(request: WithdrawalRequest, tenant: Tenant) -> Money:
    """Raises InvalidAmount."""
    try:
        return Money.parse(request.amount, request.currency or tenant.currency)
    except InvalidAmount as error:
        raise InvalidAmount("Invalid amount", field="amount", details={"message": error.message}) from None


def _require_enough(amount: Money, minimum: Money, fee: Money, method: PayoutMethod) -> None:
    if amount.amount_minor < minimum.amount_minor:
        raise InvalidAmount(f"Minimum withdrawal for {method.value} is {minimum}", field="amount")
    if amount.amount_minor <= fee.amount_minor:
        raise InvalidAmount(f"Withdrawal amount must be greater than fee ({fee})", field="amount")


def _require_payable(
    provider: Provider, method: PayoutMethod, details: Mapping[str, str], net: Money
) -> None:
    """Raises InvalidRequest, InvalidAmount: the provider would refuse it."""
    request = PayoutRequest(
        reference=f"out-{uuid.UUID(int=0).hex}", amount=net, method=method, destination=details
    )
    try:
        provider.check_payout(request)
    except RequestRejected as error:
        raise InvalidRequest(error.message) from None


def _new_withdrawal(
    member: Principal,
    request: WithdrawalRequest,
    amount: Money,
    fee: Money,
    method: PayoutMethod,
    destination: PayoutDestination,
) -> Withdrawal:
    now = clock.now()
    withdrawal = new_row(
        Withdrawal,
        id=ids.uuid7(),
        tenant_id=member.tenant_id,
        amount=amount.amount_minor,
        fee=fee.amount_minor,
        currency=amount.currency,
        method=method.value,
        destination=dict(destination.details),
        destination_id=destination.id,
        notes=request.notes,
        required_approvals=rules.required_approvals(member.tenant_id, amount),
        status=WithdrawalState.PENDING,
        initiated_by=member.user_id,
        created_at=now,
        updated_at=now,
    )
    withdrawal.digest = digests.request_digest(withdrawal)
    return withdrawal


def _insufficient(tenant_id: uuid.UUID, amount: Money) -> InsufficientBalance:
    available = rules.balance(tenant_id, amount.currency).available
    facts = {
        "available": available.as_number(),
        "required": amount.as_number(),
        "currency": amount.currency,
    }
    return InsufficientBalance("Insufficient balance", details=facts)


def _known(record: IdempotencyRecord, claim: Claim) -> Answer:
    """The answer of a key that was claimed before. Where there is none any more, the withdrawal as it is now."""
    known = judge(record, claim, now=clock.now())
    if isinstance(known, Answer):
        return known
    return replayed(claim, agreement(withdrawal_rows.read(known.resource_id)))
