"""Callbacks from providers: stored, acknowledged in the provider's own words, processed afterwards.

Guarantees: news is stored before it is acknowledged, once for each piece of it; a forged signature changes nothing; what
a callback says is confirmed by asking the provider, so an unsigned, repeated, late or invented one does no harm. Only
where the provider cannot be asked is its word taken, and then only when a signature or the operation's own secret URL
vouches for it.
"""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import ForgedCallbackRefused, InvalidRequest, NotFound
from app.events import queue
from app.models.payment import Payment, PaymentAttempt, Refund
from app.models.provider_event import ProviderEvent
from app.providers import PROVIDERS
from app.providers.base import Acknowledgement, Callback, CallbackEvent, Kind, Provider, Result, State
from app.providers.errors import CallbackError, ForgedCallback
from app.services import bulkhead, payment_driver, payment_results, provider_accounts, refund_results
from app.services.payment_states import OPEN_ATTEMPTS, OPEN_REFUNDS
from app.services.provider_accounts import ALIASES
from app.services.refund_driver import look as look_at_refund
from app.unit_of_work import reading, transaction

KIND: Final = "provider_event.process"

BUSY_S: Final = 1
CONFIRM_AGAIN_S: Final = 3
MAX_CONFIRMATIONS: Final = 4
"""A provider may call before its own books are ready: so often the news is held against them."""

KEPT_HEADERS: Final = frozenset(
    {
        "content-type", "user-agent", "x-chapa-signature", "chapa-signature", "x-paystack-signature",
        "stripe-signature", "x-cpay-signature",
    }
)  # fmt: skip

_ABOUT_ANOTHER: Final = "\0another"
"""No provider's id."""

_Way = tuple[Any, str | None]
"""A column, and the value it is to have, if the news holds one."""

log = structlog.get_logger("callbacks")


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose URL a callback came to. scope: what its event ids are unique in."""

    provider: Provider
    account_id: uuid.UUID | None
    scope: str


def receive(
    name: str, path_token: str | None, callback: Callback, *, address: str | None = None
) -> Acknowledgement:
    """Store a callback and have it processed. Raises NotFound, ForgedCallbackRefused, InvalidRequest: nothing stored."""
    name = ALIASES.get(name, name)
    if name not in PROVIDERS:
        raise NotFound("There is no such provider.")
    owner = _owner(name, path_token)
    _require_known_address(owner.provider, address)
    try:
        event = owner.provider.read_callback(callback)
    except ForgedCallback as error:
        log.warning("callback.forged", provider=name)
        raise ForgedCallbackRefused from error
    except CallbackError as error:
        raise InvalidRequest(error.message) from error
    transaction(lambda s: _store(s, owner, path_token, callback, event))
    return owner.provider.acknowledge(event)


def process(event_id: uuid.UUID) -> datetime | None:
    """Find what the news is about, confirm it, apply it. When it is to be confirmed again, else None."""
    with reading() as session:
        event = session.get_one(ProviderEvent, event_id)
        attempt, refunds = _subject(session, event)
    if event.state != "received":
        return None
    parsed = _parse_again(event)
    if attempt is None or (parsed.kind is Kind.OTHER and not refunds):
        _close(event_id, "ignored", "Nothing here goes by this reference.", None)
        return None
    payment_id = attempt.payment_id
    with bulkhead.place(event.provider) as is_in:
        if not is_in:
            return clock.now() + timedelta(seconds=BUSY_S)
        if refunds:
            settled = [_about_refund(event, parsed, refund) for refund in refunds]
            is_settled = all(settled)
        else:
            is_settled = _about_payment(event, parsed, attempt)
    if is_settled or event.confirmations + 1 >= MAX_CONFIRMATIONS:
        _close(event_id, "processed", "applied" if is_settled else "not confirmed yet", payment_id)
        return None
    _count_confirmation(event_id)
    return clock.now() + timedelta(seconds=CONFIRM_AGAIN_S)


def bury(event_id: uuid.UUID, error: str) -> None:
    """No attempt at processing is left: a dead letter, which an operator retries."""
    transaction(
        lambda s: s.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event_id, ProviderEvent.state == "received")
            .values(state="dead", result=error, processed_at=clock.now())
        )
    )


def _owner(name: str, token: str | None) -> _Owner:
    """The account a URL belongs to: the house's, a tenant's own, or that of one payment or refund."""
    if token is None:
        return _Owner(provider_accounts.of_account(name, None), None, "house")
    account_id = provider_accounts.by_callback_token(name, token)
    if account_id is not None:
        return _Owner(provider_accounts.of_account(name, account_id), account_id, str(account_id))
    with reading() as session:
        attempt = _attempt_by_token(session, name, token)
    if attempt is None:
        raise NotFound("There is no such callback address.")
    return _Owner(
        provider_accounts.of_account(name, attempt.account_id), attempt.account_id, f"token:{token}"
    )


def _attempt_by_token(session: Session, name: str, token: str) -> PaymentAttempt | None:
    """The attempt, or the collecting attempt of the refund, whose callback URL ends so."""
    refund_attempt = select(Refund.attempt_id).where(Refund.callback_token == token)
    wanted = select(PaymentAttempt).where(
        PaymentAttempt.provider == name,
        or_(PaymentAttempt.callback_token == token, PaymentAttempt.id.in_(refund_attempt)),
    )
    return session.scalars(wanted).one_or_none()


def _require_known_address(provider: Provider, address: str | None) -> None:
    """A second layer for unsigned callbacks, where an operator has listed the provider's addresses."""
    allowed = [word.strip() for word in provider.account["callback_ips"].split(",") if word.strip()]
    if not allowed:
        return
    try:
        known = any(ipaddress.ip_address(address or "") in ipaddress.ip_network(net) for net in allowed)
    except ValueError:
        known = False
    if not known:
        raise ForgedCallbackRefused("Callbacks are not taken from this address.")


def _store(
    session: Session, owner: _Owner, path_token: str | None, callback: Callback, event: CallbackEvent
) -> None:
    now, event_id = clock.now(), ids.uuid7()
    inserted = session.execute(
        insert(ProviderEvent)
        .values(
            id=event_id, provider=owner.provider.name, scope=owner.scope, provider_event_id=event.event_id[:255],
            event_type=event.event_type[:100], kind=event.kind.value, is_verified=event.is_verified,
            reference=event.reference, provider_reference=event.provider_reference, path_token=path_token,
            account_id=owner.account_id, method=callback.method, query=dict(callback.query),
            headers={name: value for name, value in callback.headers.items() if name in KEPT_HEADERS},
            body=callback.body, state="received", repeats=0, confirmations=0, received_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ProviderEvent.id)
    ).first()  # fmt: skip
    if inserted is None:
        known = session.scalars(
            select(ProviderEvent)
            .where(
                ProviderEvent.provider == owner.provider.name, ProviderEvent.scope == owner.scope,
                ProviderEvent.provider_event_id == event.event_id[:255],
            )
            .with_for_update(key_share=True)
        ).one()  # fmt: skip
        known.repeats += 1
        if event.is_verified or known.state == "received":
            return
        # An unsigned note says the same for every change: each is a reason to ask again.
        known.state, known.confirmations, event_id = "received", 0, known.id
    queue.rearm(session, KIND, ref=str(event_id), run_at=now, now=now, payload={"event_id": str(event_id)})


def _subject(session: Session, event: ProviderEvent) -> tuple[PaymentAttempt | None, list[Refund]]:
    """What the news is about, by the URL it came to, our reference, or the provider's id, on the same account.

    Refunds: the one that is meant, or every open one of a payment whose news does not say which.
    """
    refund = _named_refund(session, event)
    if refund is not None:
        return session.get_one(PaymentAttempt, refund.attempt_id), [refund]
    attempt = _named_attempt(session, event)
    if attempt is None or attempt.state != "succeeded":
        return attempt, []
    still_open = select(Refund).where(Refund.attempt_id == attempt.id, Refund.state.in_(OPEN_REFUNDS))
    return attempt, list(session.scalars(still_open.order_by(Refund.id)))


def _named_refund(session: Session, event: ProviderEvent) -> Refund | None:
    refunds = select(Refund).join(PaymentAttempt, PaymentAttempt.id == Refund.attempt_id)
    refunds = refunds.where(PaymentAttempt.provider == event.provider, _same_account(event))
    ways: list[_Way] = [(Refund.callback_token, event.path_token)]
    if event.kind == Kind.REFUND.value:
        ways += [(Refund.reference, event.reference), (Refund.provider_reference, event.provider_reference)]
    found: Refund | None = _first(session, refunds.order_by(Refund.id), ways)
    return found


def _named_attempt(session: Session, event: ProviderEvent) -> PaymentAttempt | None:
    attempts = select(PaymentAttempt).where(PaymentAttempt.provider == event.provider, _same_account(event))
    ways: list[_Way] = [
        (PaymentAttempt.callback_token, event.path_token),
        (PaymentAttempt.reference, event.reference),
        (PaymentAttempt.provider_reference, event.provider_reference),
        (PaymentAttempt.receipt, event.provider_reference),
    ]
    found: PaymentAttempt | None = _first(session, attempts.order_by(PaymentAttempt.id.desc()), ways)
    return found


def _same_account(event: ProviderEvent) -> Any:
    if event.account_id is None:
        return PaymentAttempt.account_id.is_(None)
    return PaymentAttempt.account_id == event.account_id


def _first(session: Session, query: Any, ways: list[_Way]) -> Any:
    for column, value in ways:
        if value and (found := session.scalars(query.where(column == value).limit(1)).first()) is not None:
            return found
    return None


def _parse_again(event: ProviderEvent) -> CallbackEvent:
    """The news from its stored bytes; whether it was verified is what was found when it came."""
    provider = provider_accounts.of_account(event.provider, event.account_id)
    callback = Callback(event.method, event.headers, event.query, bytes(event.body))
    try:
        parsed = provider.read_callback(callback)
    except CallbackError:
        # A signature that has grown too old since, or a secret that was changed: judged when it came.
        kind = Kind(event.kind)
        parsed = CallbackEvent(
            event.provider_event_id, kind, event.event_type, event.reference, event.provider_reference
        )
    return replace(parsed, is_verified=event.is_verified)


def _about_payment(event: ProviderEvent, parsed: CallbackEvent, attempt: PaymentAttempt) -> bool:
    """Whether the payment is now what the news says, or final anyway."""
    is_vouched = _is_vouched(event, parsed, attempt.callback_token)
    asked_by = _asked_by(parsed, attempt, is_vouched=is_vouched)
    if asked_by is _ABOUT_ANOTHER:
        return True
    if is_vouched:
        _adopt_reference(attempt, asked_by)
    with reading() as session:
        attempt = session.get_one(PaymentAttempt, attempt.id)
        payment = session.get_one(Payment, attempt.payment_id)
    claim = parsed.claim
    if attempt.state == "succeeded" and claim is not None and claim.state is not State.REVERSED:
        _keep_receipt(attempt.id, payment, claim, is_vouched=is_vouched)
        return True
    provider = provider_accounts.of_account(attempt.provider, attempt.account_id)
    if Kind.PAYMENT not in provider.capabilities.asks:
        return _believe(attempt, claim, is_vouched=is_vouched)
    outcome = payment_driver.inquire(payment, attempt, provider_reference=asked_by)
    if not isinstance(outcome, Result):
        if not is_vouched or outcome.code == "nothing_to_ask_by":
            return True  # an unsigned note that the provider does not bear out; the attempt's own job goes on asking
        raise outcome
    is_final = outcome.state not in (State.PENDING, State.NOT_FOUND)
    if not is_final and not is_vouched and attempt.provider_reference is None:
        return True  # "not paid yet" is also said of an id somebody made up: it must not become ours
    if outcome.state is State.SUCCEEDED and outcome.receipt is None:
        outcome = replace(outcome, receipt=_trusted_receipt(payment, claim, is_vouched=is_vouched))
    transaction(lambda s: payment_results.apply(s, attempt.id, outcome, source="callback", now=clock.now()))
    is_final_claim = claim is not None and claim.state not in (State.PENDING, State.NOT_FOUND)
    return is_final or not is_final_claim


def _about_refund(event: ProviderEvent, parsed: CallbackEvent, refund: Refund) -> bool:
    if refund.state not in OPEN_REFUNDS:
        return True
    with reading() as session:
        attempt = session.get_one(PaymentAttempt, refund.attempt_id)
    provider = provider_accounts.of_account(attempt.provider, attempt.account_id)
    claim = parsed.claim
    if Kind.REFUND in provider.capabilities.asks:
        look_at_refund(refund.id, source="callback")
        with reading() as session:
            return session.get_one(Refund, refund.id).state not in OPEN_REFUNDS
    if claim is None or not _is_vouched(event, parsed, refund.callback_token):
        return True
    transaction(lambda s: refund_results.apply(s, refund.id, claim, source="callback", now=clock.now()))
    return True


def _is_vouched(event: ProviderEvent, parsed: CallbackEvent, token: str) -> bool:
    return parsed.is_verified or event.path_token == token


def _asked_by(parsed: CallbackEvent, attempt: PaymentAttempt, *, is_vouched: bool) -> str | None:
    """The provider's id to ask by: the one we were given with the answer, else the news' own.

    _ABOUT_ANOTHER when the news names another charge than the one whose address it came to.
    """
    given = parsed.provider_reference
    if attempt.provider_reference is None:
        return given
    is_ours = given in (None, attempt.provider_reference, attempt.receipt)
    # Some providers name a payment by more than one id; then our reference, or a signature, says that it is this one.
    if is_ours or parsed.is_verified or parsed.reference == attempt.reference:
        return attempt.provider_reference
    return _ABOUT_ANOTHER


def _adopt_reference(attempt: PaymentAttempt, reference: str | None) -> None:
    """Keep the provider's id when the answer that held it was lost.

    Only from news that is vouched for. Any other id is only asked by: the adapter compares our reference in the
    provider's own answer, and a result that is applied brings its id along.
    """
    if reference is None or attempt.provider_reference is not None:
        return

    def work(session: Session) -> None:
        locked = payment_results.lock(session, attempt.id)
        if locked.attempt.provider_reference is None and locked.attempt.state in OPEN_ATTEMPTS:
            locked.attempt.provider_reference = reference
            locked.payment.provider_transaction_id = reference

    transaction(work)


def _trusted_receipt(payment: Payment, claim: Result | None, *, is_vouched: bool) -> str | None:
    """A receipt only a callback tells, when it is vouched for and its amount is ours."""
    if claim is None or not is_vouched or claim.state is not State.SUCCEEDED or claim.amount is None:
        return None
    fits = claim.amount.amount_minor == payment.amount and claim.amount.currency == payment.currency
    return claim.receipt if fits else None


def _keep_receipt(attempt_id: uuid.UUID, payment: Payment, claim: Result | None, *, is_vouched: bool) -> None:
    receipt = _trusted_receipt(payment, claim, is_vouched=is_vouched)
    if receipt is None:
        return

    def work(session: Session) -> None:
        locked = payment_results.lock(session, attempt_id)
        locked.attempt.receipt = locked.attempt.receipt or receipt

    transaction(work)


def _believe(attempt: PaymentAttempt, claim: Result | None, *, is_vouched: bool) -> bool:
    """For providers that cannot be asked at all."""
    if claim is not None and is_vouched:
        transaction(lambda s: payment_results.apply(s, attempt.id, claim, source="callback", now=clock.now()))
    return True


def _close(event_id: uuid.UUID, state: str, result: str, payment_id: uuid.UUID | None) -> None:
    transaction(
        lambda s: s.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event_id, ProviderEvent.state == "received")
            .values(state=state, result=result, payment_id=payment_id, processed_at=clock.now())
        )
    )


def _count_confirmation(event_id: uuid.UUID) -> None:
    transaction(
        lambda s: s.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event_id)
            .values(confirmations=ProviderEvent.confirmations + 1)
        )
    )
