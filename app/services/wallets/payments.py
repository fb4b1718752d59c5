"""Paying from wallet to wallet.

Guarantees: a payment is irrevocable when `pay` returns, its money has left the source and
belongs to the recipient, who may spend it at once; one key pays once; nothing is created for a refused payment. All of it is one
SQL function (app/services/wallets/sql/wallet_pay.sql) in one round trip.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Select, or_, select

from app import clock, ids
from app.errors import (
    AccountNotFound,
    GatewayError,
    IdempotencyKeyReused,
    InvalidAmount,
    InvalidRequest,
    PaymentNotFound,
    TokenInvalid,
    refusal,
)
from app.json_text import json_text
from app.models.account import Account, AccountKind
from app.models.idempotency import IdempotencyRecord
from app.models.wallet_payment import WalletPayment, WalletPaymentStatus
from app.money import Money
from app.principal import Principal
from app.services import list_totals
from app.services.idempotency_service import ANSWER_LIFE, Claim
from app.services.pages import Page, PageRequest
from app.services.wallets import functions
from app.services.wallets.spending_limits import usd_within_single_maximum
from app.unit_of_work import reading

MAX_BATCH: Final = 1000
"""Items of one batch, as the Wallet API documents."""


@dataclass(frozen=True, slots=True)
class WalletPaymentRequest:
    """What a client requests. `amount` is the JSON value as received; `currency` None means the wallet's own."""

    amount: object
    destination: str
    currency: str | None = None
    description: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PaidItem:
    """One paid request. status: pending until the relay has published the payment."""

    payment_id: str
    amount: Money
    status: WalletPaymentStatus
    created_at: datetime
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Item:
    request: WalletPaymentRequest
    amount: Money
    usd_minor: int
    payment_id: uuid.UUID
    entry_id: uuid.UUID


def pay(
    actor: Principal,
    source: str,
    request: WalletPaymentRequest,
    claim: Claim,
    *,
    rates: Mapping[str, Decimal],
) -> PaidItem:
    """Pay `request` from the wallet `source` (`acc_…`).

    Raises InvalidAmount, UnsupportedCurrency (nothing claimed); AccountNotFound, TokenInvalid; and, as answers that
    the key repeats, the errors of app/errors that have `is_answer`; IdempotencyKeyReused, IdempotencyConflict.
    """
    item = _judged(request, _currency(actor, source, [request]), claim, rates, ids.uuid7s(2))
    if isinstance(item, GatewayError):
        raise item
    answer, is_replay = _call(actor, source, [item], claim)
    outcome = _outcomes(answer, [item], is_replay=is_replay)[0]
    if isinstance(outcome, GatewayError):
        raise outcome
    return outcome


def pay_batch(
    actor: Principal,
    source: str,
    requests: Sequence[WalletPaymentRequest],
    claim: Claim,
    *,
    rates: Mapping[str, Decimal],
) -> tuple[list[PaidItem | GatewayError], bool]:
    """Pay each request by itself, in order, in one transaction; the outcomes, and whether they are a repeat.

    A request that is not valid (amount, currency) is an InvalidAmount or UnsupportedCurrency in its place.
    Raises as `pay`, but never a refusal; InvalidRequest above MAX_BATCH items.
    """
    if len(requests) > MAX_BATCH:
        raise InvalidRequest(f"A batch has at most {MAX_BATCH} payments.", field="payments")
    default = _currency(actor, source, requests)
    made = iter(ids.uuid7s(2 * len(requests)))
    pairs = list(zip(made, made, strict=True))
    drafts = [
        _judged(request, default, claim, rates, pair) for request, pair in zip(requests, pairs, strict=True)
    ]
    items = [draft for draft in drafts if isinstance(draft, _Item)]
    if not items:
        return [draft for draft in drafts if isinstance(draft, GatewayError)], False
    places = [place for place, draft in enumerate(drafts) if isinstance(draft, _Item)]
    answer, is_replay = _call(actor, source, items, claim, places=places)
    if is_replay and answer.get("places", places) != places:
        # The rates were others at the first request: the outcomes of the first request are shown, in their places.
        places = answer["places"]
        drafts = [
            _item_or_error(request, default, None, pair)
            for request, pair in zip(requests, pairs, strict=True)
        ]
        items = [
            draft for place, draft in enumerate(drafts) if place in set(places) and isinstance(draft, _Item)
        ]
    outcomes = dict(zip(places, _outcomes(answer, items, is_replay=is_replay), strict=True))
    return [outcomes.get(place) or _as_error(draft) for place, draft in enumerate(drafts)], is_replay


def _item(
    request: WalletPaymentRequest,
    default: str | None,
    rates: Mapping[str, Decimal] | None,
    new_ids: Sequence[uuid.UUID],
) -> _Item:
    """rates: None for a request whose answer is stored already; its maximum is not checked again. new_ids: of the payment and
    its entry."""
    amount = Money.parse(request.amount, request.currency or default or "")
    usd_minor = usd_within_single_maximum(amount, rates) if rates is not None else 0
    return _Item(request, amount, usd_minor, *new_ids)


def _judged(
    request: WalletPaymentRequest,
    default: str | None,
    claim: Claim,
    rates: Mapping[str, Decimal],
    new_ids: Sequence[uuid.UUID],
) -> _Item | GatewayError:
    """A key that was used before is answered from its store, whatever today's rates say about its amount."""
    draft = _item_or_error(request, default, rates, new_ids)
    if isinstance(draft, GatewayError) and _is_used(claim):
        return _item_or_error(request, default, None, new_ids)
    return draft


def _is_used(claim: Claim) -> bool:
    with reading() as session:
        return session.get(IdempotencyRecord, claim.scope) is not None


def _as_error(draft: _Item | GatewayError) -> GatewayError:
    return draft if isinstance(draft, GatewayError) else InvalidAmount()


def _item_or_error(
    request: WalletPaymentRequest,
    default: str | None,
    rates: Mapping[str, Decimal] | None,
    new_ids: Sequence[uuid.UUID],
) -> _Item | GatewayError:
    try:
        return _item(request, default, rates, new_ids)
    except GatewayError as error:
        return error


def _currency(actor: Principal, source: str, requests: Sequence[WalletPaymentRequest]) -> str | None:
    """The source's currency when a request needs it; a currency never changes, so reading it early is safe."""
    if all(request.currency for request in requests):
        return None
    with reading() as session:
        query = select(Account.currency).where(
            Account.public_id == source, Account.kind == AccountKind.WALLET, Account.owner_id == actor.user_id
        )
        currency = session.scalar(query)
    if currency is None:
        raise AccountNotFound(field="source_wallet_id")
    return currency


def _call(
    actor: Principal, source: str, items: Sequence[_Item], claim: Claim, *, places: Sequence[int] = (0,)
) -> tuple[dict[str, Any], bool]:
    """The stored answer and whether it was stored before. Raises for the outcomes that are not about an item.

    places: which requests of a batch the items are.
    """
    now = clock.now()
    payments = [item.payment_id for item in items]
    answer = {"at": now, "payments": payments, "places": places, "refusals": None}
    wanted = [
        functions.Payment(
            item.payment_id,
            item.entry_id,
            item.request.destination,
            item.amount.amount_minor,
            item.usd_minor,
            item.amount.currency,
            item.request.description,
            _json(item.request.metadata),
        )
        for item in items
    ]
    outcome, stored = functions.pay(
        actor, source, wanted, claim, answer=orjson.dumps(answer).decode(), now=now
    )
    if outcome == "no_session":
        raise TokenInvalid
    if outcome == "no_account":
        raise AccountNotFound(field="source_wallet_id")
    if outcome == "key_reused":
        raise IdempotencyKeyReused
    return orjson.loads(stored), outcome == "replay"


def _outcomes(
    answer: dict[str, Any], items: Sequence[_Item], *, is_replay: bool
) -> list[PaidItem | GatewayError]:
    """The outcome of each item, from the stored answer and the request; the fingerprint proved that the request is the same."""
    created_at = datetime.fromisoformat(answer["at"])
    payments = [uuid.UUID(payment) for payment in answer["payments"]]
    refusals = answer["refusals"] or [None] * len(items)
    statuses = _present_statuses(payments) if is_replay and clock.now() - created_at > ANSWER_LIFE else {}
    return [
        refusal(code, replayed=is_replay)
        if code
        else PaidItem(
            ids.public(ids.PAYMENT, payment),
            item.amount,
            statuses.get(payment, WalletPaymentStatus.PENDING),
            created_at,
            is_replay,
        )
        for item, payment, code in zip(items, payments, refusals, strict=True)
    ]


def _present_statuses(payments: Sequence[uuid.UUID]) -> dict[uuid.UUID, WalletPaymentStatus]:
    with reading() as session:
        rows = session.execute(
            select(WalletPayment.id, WalletPayment.status).where(WalletPayment.id.in_(payments))
        ).all()
    return {row.id: row.status for row in rows}


def get_payment(actor: Principal, public_id: str) -> WalletPayment:
    """A payment that the actor sent or received. Raises PaymentNotFound, also for a payment of other users."""
    payment_id = ids.parse(ids.PAYMENT, public_id)
    with reading() as session:
        payment = session.get(WalletPayment, payment_id) if payment_id else None
    if payment is None or actor.user_id not in (payment.sender_id, payment.recipient_id):
        raise PaymentNotFound
    return payment


def list_payments(actor: Principal, request: PageRequest, *, status: str | None) -> Page[WalletPayment]:
    """Payments the user sent or received, newest first."""
    query = _payments_query(actor, status)
    page = query.order_by(WalletPayment.id.desc()).limit(request.limit + 1).offset(request.offset)
    with reading() as session:
        rows = session.scalars(page).all()
        ids_alone = query.with_only_columns(WalletPayment.id)
        total = list_totals.total(session, ids_alone, key=(actor.user_id, status))
    return Page.cut(rows, limit=request.limit, total=total)


def _payments_query(actor: Principal, status: str | None) -> Select[WalletPayment]:
    query = select(WalletPayment).where(
        or_(WalletPayment.sender_id == actor.user_id, WalletPayment.recipient_id == actor.user_id)
    )
    return query.where(WalletPayment.status == status) if status else query


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json_text(value)
