"""What callbacks lead to: the news is held against the provider's own answer and applied.

Guarantees: what a callback says is confirmed by asking the provider, so an unsigned, repeated, late or invented one does
no harm. Only where the provider cannot be asked is its word taken, and then only when a signature or the operation's own
secret URL vouches for it.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import CursorResult, select, true, update
from sqlalchemy.orm import Session

from app import clock
from app.models.payment import AttemptState, Payment, PaymentAttempt, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.models.provider_event import ProviderEvent, ProviderEventState
from app.providers.base import Callback, CallbackEvent, Kind, Result, State
from app.providers.errors import (
    NO_PROVIDER_ID,
    CallbackError,
    OutcomeUnknown,
    RequestRejected,
    WrongEnvironment,
)
from app.services.callbacks import process_refunds
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import outcomes as payment_outcomes
from app.services.payments.locks import lock_attempt
from app.services.payments.states import COLLECTED, OPEN_ATTEMPTS, OPEN_REFUNDS
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.provider_operations import Outcome
from app.unit_of_work import reading, transaction

log = structlog.get_logger("callbacks")

CONFIRM_AGAIN_S: Final = 3
MAX_CONFIRMATIONS: Final = 4
"""A provider may call before its own books are ready: so often the news is held against them."""

REFUND_WAIT_S: Final = 300
"""News that a payment was taken back is held against the provider's books so often while a refund of it is open."""

NOTHING_TO_LEARN: Final = frozenset({NO_PROVIDER_ID, "merchant_reference"})
"""Words of adapters: there is no id to ask by; the id is another order's."""

_ABOUT_ANOTHER: Final = "\0another"
"""No provider's id."""

_Way = tuple[Any, str | None]
"""A column, and the value it is to have, if the news holds one."""


def process(event_id: uuid.UUID) -> datetime | None:
    """Find what the news is about, confirm it, apply it. When it is to be confirmed again, else None."""
    with reading() as session:
        event = session.get_one(ProviderEvent, event_id)
        attempt, refunds = _subject(session, event)
    if event.state != ProviderEventState.RECEIVED:
        return None
    parsed = _parse_again(event)
    if parsed.objection or attempt is None or (parsed.kind is Kind.OTHER and not refunds):
        return _ignore(event, parsed, attempt)
    payment_id = attempt.payment_id
    with bulkhead.slot(event.provider) as has_slot:
        if not has_slot:
            return bulkhead.retry_at(clock.now(), since=event.received_at)
        is_settled = _apply(event, parsed, attempt, refunds)
    if not is_settled and refunds and _is_taken_back(parsed):
        # Whether it is all of the money, or what a refund of ours gave back, is known when that refund has ended.
        return clock.now() + timedelta(seconds=REFUND_WAIT_S)
    if is_settled or event.confirmations + 1 >= MAX_CONFIRMATIONS:
        return _close(
            event, ProviderEventState.PROCESSED, "applied" if is_settled else "not confirmed yet", payment_id
        )
    _count_confirmation(event_id)
    return clock.now() + timedelta(seconds=CONFIRM_AGAIN_S)


def _apply(
    event: ProviderEvent, parsed: CallbackEvent, attempt: PaymentAttempt, refunds: list[Refund]
) -> bool:
    """Whether everything is now as the news says."""
    if parsed.kind is Kind.DISPUTE:
        # What nobody vouches for is no reason to trouble a person.
        is_vouched = _is_vouched(event, parsed, attempt.callback_token)
        return process_refunds.open_review(attempt, ReviewReason.DISPUTE) if is_vouched else True
    settled = [
        process_refunds.process_refund(
            parsed, refund, is_vouched=_is_vouched(event, parsed, refund.callback_token)
        )
        for refund in refunds
    ]
    is_taken_back = _is_taken_back(parsed)
    if parsed.kind is Kind.REFUND and attempt.state in COLLECTED and not is_taken_back:
        is_told_apart = any(
            refund.state != RefundState.FAILED and _names(event, refund) for refund in refunds
        )
        is_vouched = _is_vouched(event, parsed, attempt.callback_token)
        return all(settled) and (
            is_told_apart
            or process_refunds.process_external_refunds(event, parsed, attempt, is_vouched=is_vouched)
        )
    if not refunds or is_taken_back:
        settled.append(_about_payment(event, parsed, attempt))
    return all(settled)


def _is_taken_back(parsed: CallbackEvent) -> bool:
    return parsed.claim is not None and parsed.claim.state is State.REVERSED


def _names(event: ProviderEvent, refund: Refund) -> bool:
    return event.path_token == refund.callback_token or (
        event.reference == refund.reference
        or (refund.provider_reference is not None and event.provider_reference == refund.provider_reference)
    )


def dead_letter(event_id: uuid.UUID, error: str) -> None:
    """No attempt at processing is left: a dead letter, which an operator retries."""
    transaction(
        lambda s: s.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event_id, ProviderEvent.state == ProviderEventState.RECEIVED)
            .values(state=ProviderEventState.DEAD, result=error, processed_at=clock.now())
        )
    )


def _subject(session: Session, event: ProviderEvent) -> tuple[PaymentAttempt | None, list[Refund]]:
    """What the news is about, by the URL it came to, our reference, or the provider's id, on the same account.

    Refunds: the one that is meant, or every open one of a payment whose news does not say which.
    """
    refund = _named_refund(session, event)
    if refund is not None:
        return session.get_one(PaymentAttempt, refund.attempt_id), [refund]
    attempt = _named_attempt(session, event)
    if attempt is None or attempt.state != AttemptState.SUCCEEDED:
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
        (PaymentAttempt.receipt, event.reference if event.kind == Kind.REFUND.value else None),
    ]
    found: PaymentAttempt | None = _first(session, attempts.order_by(PaymentAttempt.id.desc()), ways)
    return found


def _same_account(event: ProviderEvent) -> Any:
    """A signature is one account's. An unsigned note is only a reason to ask, on the attempt's own account."""
    if not event.is_verified and event.path_token is None:
        return true()
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
    if attempt.state == AttemptState.SUCCEEDED and claim is not None and claim.state is not State.REVERSED:
        _keep_receipt(attempt.id, payment, claim, is_vouched=is_vouched)
        return True
    provider = provider_accounts.of_attempt(attempt)
    if Kind.PAYMENT not in provider.capabilities.inquiry_kinds:
        return _believe(attempt, claim, is_vouched=is_vouched)
    outcome = payment_follow_up.inquire(payment, attempt, provider_reference=asked_by)
    return _apply_confirmed(payment, attempt, claim, outcome, is_vouched=is_vouched)


def _apply_confirmed(
    payment: Payment, attempt: PaymentAttempt, claim: Result | None, outcome: Outcome, *, is_vouched: bool
) -> bool:
    """Apply what the provider says now. Whether it bears the news out, or the news need not be held against it again."""
    if isinstance(outcome, WrongEnvironment):
        transaction(
            lambda s: payment_outcomes.apply_outcome(
                s, attempt.id, outcome, source="callback", now=clock.now()
            )
        )
        return True
    if not isinstance(outcome, Result):
        if isinstance(outcome, RequestRejected) or outcome.code in NOTHING_TO_LEARN:
            return True
        raise outcome  # asked again later: this note may be the only thing that holds the provider's id
    is_final = outcome.state not in (State.PENDING, State.NOT_FOUND)
    if outcome.state is State.SUCCEEDED and outcome.receipt is None:
        outcome = replace(outcome, receipt=_trusted_receipt(payment, claim, is_vouched=is_vouched))
    transaction(
        lambda s: payment_outcomes.apply_outcome(s, attempt.id, outcome, source="callback", now=clock.now())
    )
    if not is_final and _is_unproven(attempt):
        # The provider knows nothing of this id yet, or it is invented. There is no other to go on with.
        raise OutcomeUnknown(code="not_borne_out")
    if claim is not None and claim.state is State.REVERSED:
        return outcome.state in (State.REVERSED, State.REFUNDED)  # its books may lag behind its news
    is_final_claim = claim is not None and claim.state not in (State.PENDING, State.NOT_FOUND)
    return is_final or not is_final_claim


def _is_unproven(attempt: PaymentAttempt) -> bool:
    """Whether the attempt has no id of its own to be asked about by, even after what was just applied."""
    if provider_accounts.of_attempt(attempt).capabilities.can_inquire_by_reference:
        return False
    with reading() as session:
        return session.get_one(PaymentAttempt, attempt.id).provider_reference is None


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
        locked = lock_attempt(session, attempt.id)
        is_free = locked.attempt.provider_reference is None and locked.attempt.state in OPEN_ATTEMPTS
        if is_free and not payment_outcomes.is_reference_taken(session, locked.attempt, reference=reference):
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
        locked = lock_attempt(session, attempt_id)
        if locked.attempt.receipt is None and not payment_outcomes.is_reference_taken(
            session, locked.attempt, receipt=receipt
        ):
            locked.attempt.receipt = receipt

    transaction(work)


def _believe(attempt: PaymentAttempt, claim: Result | None, *, is_vouched: bool) -> bool:
    """For providers that cannot be asked at all."""
    if claim is not None and is_vouched:
        transaction(
            lambda s: payment_outcomes.apply_outcome(s, attempt.id, claim, source="callback", now=clock.now())
        )
    return True


def _ignore(event: ProviderEvent, parsed: CallbackEvent, attempt: PaymentAttempt | None) -> datetime | None:
    if parsed.objection is None:
        return _close(event, ProviderEventState.IGNORED, "Nothing here goes by this reference.", None)
    log.error("callback.wrong_environment", provider=event.provider, provider_event=str(event.id))
    return _close(
        event, ProviderEventState.IGNORED, parsed.objection, None if attempt is None else attempt.payment_id
    )


def _close(
    event: ProviderEvent, state: ProviderEventState, result: str, payment_id: uuid.UUID | None
) -> datetime | None:
    """End it; now, to go on at once, when the same news came again meanwhile and may say something newer."""

    def work(session: Session) -> bool:
        closed = session.execute(
            update(ProviderEvent)
            .where(
                ProviderEvent.id == event.id,
                ProviderEvent.state == ProviderEventState.RECEIVED,
                ProviderEvent.repeats == event.repeats,
            )
            .values(state=state, result=result, payment_id=payment_id, processed_at=clock.now())
        )
        assert isinstance(closed, CursorResult)
        return closed.rowcount == 1

    return None if transaction(work) else clock.now()


def _count_confirmation(event_id: uuid.UUID) -> None:
    transaction(
        lambda s: s.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event_id)
            .values(confirmations=ProviderEvent.confirmations + 1)
        )
    )
