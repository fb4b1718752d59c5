"""Processes callbacks: confirms what a callback reports with the provider, and applies the provider's answer.

Guarantees: an unsigned, repeated, late or invented callback changes nothing by itself, since the provider is queried. Only
where the provider cannot be queried is the callback applied, and then only when it is signed or was sent to the operation's own
secret URL ("vouched for").
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import update

from app import clock
from app.models.payment import AttemptState, PaymentAttempt, Refund, RefundState
from app.models.provider_event import ProviderEvent, ProviderEventState
from app.providers import PROVIDERS
from app.providers.base import NOT_FINAL, QUESTION, CallbackEvent, Kind, ProviderResult, State
from app.providers.errors import (
    NO_PROVIDER_ID,
    OTHER_ID,
    OutcomeUnknown,
    ProviderError,
    RequestRejected,
    UnclearAnswer,
    UnconfirmedFailure,
    WrongEnvironment,
)
from app.queue import Ended, LeasedJob
from app.services.callbacks import (
    process_disputes,
    process_payouts,
    process_refunds,
    provider_ids,
    receipts,
    stored,
)
from app.services.callbacks.stored import Processing
from app.services.payments import claims
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import rows as payment_rows
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import COLLECTED, OPEN_ATTEMPTS, OPEN_REFUNDS
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.provider_operations import Outcome
from app.services.write_sets import store
from app.unit_of_work import transaction

log = structlog.get_logger("callbacks")

CONFIRM_AGAIN_S: Final = 3
MAX_CONFIRMATIONS: Final = 4
"""A provider may send a callback before its own data is up to date: it is queried at most this often; once more, UNCLEAR_WAIT_S
later, where a callback that is vouched for reports that the payment was paid."""

UNCLEAR_WAIT_S: Final = 300
"""After an answer that decides nothing (UnclearAnswer) the provider is queried again after this many seconds."""

REFUND_WAIT_S: Final = 300
"""While a refund of the payment is open, a reported reversal is confirmed again after this many seconds."""

NOTHING_TO_LEARN: Final = frozenset({NO_PROVIDER_ID, "merchant_reference"})
"""Error codes of adapters: there is no id to query by; the id belongs to another payment."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a callback is about. refunds: the named one, or every open one of the payment where the callback names none."""

    rows: PaymentRows
    attempt: PaymentAttempt
    refunds: list[Refund]


def process(job: LeasedJob) -> datetime | Ended | None:
    """Confirm what a callback reports, and apply it. Returns when to confirm it again, or that the job has ended."""
    if job.callback is None:
        return None  # it was deleted meanwhile
    processing = Processing(stored.event_of(job.callback["event"]), job)
    event, subject = processing.event, _subject(job.callback)
    if event.state != ProviderEventState.RECEIVED:
        return processing.close(event.state, event.result, event.payment_id)
    parsed = stored.parse_again(event)
    if job.callback["payout_id"] is not None and not parsed.objection:
        return process_payouts.process_payout(processing, parsed, job.callback)
    if parsed.objection or subject is None or _changes_nothing(parsed, subject):
        return _ignore(processing, parsed, subject)
    with bulkhead.slot(event.provider) as has_slot:
        if not has_slot:
            return bulkhead.retry_at(clock.now(), since=event.received_at)
        is_settled, wait_s = _try_to_apply(processing, parsed, subject)
    return _end(processing, parsed, subject, is_settled=is_settled, wait_s=wait_s)


def _end(
    processing: Processing, parsed: CallbackEvent, subject: Subject, *, is_settled: bool, wait_s: int
) -> datetime | Ended:
    """When to confirm it again, where it is not settled, or that the job has ended."""
    event = processing.event
    if processing.is_closed:
        return Ended.ENDED
    if not is_settled and subject.refunds and _is_reversal(parsed):
        # Whether all of the money was reversed, or only our refund is meant, is known when that refund is final.
        return clock.now() + timedelta(seconds=REFUND_WAIT_S)
    most = MAX_CONFIRMATIONS
    if not is_settled and (claim := _claim_of_payment(event, parsed, subject)) is not None:
        most, wait_s = MAX_CONFIRMATIONS + 1, wait_s if event.confirmations + 2 <= most else UNCLEAR_WAIT_S
        if event.confirmations + 1 >= most:
            receipts.keep_claim(payment_rows.read(subject.rows.payment.id), subject.attempt.id, claim)
    if is_settled or event.confirmations + 1 >= most:
        result = stored.APPLIED if is_settled else stored.NOT_CONFIRMED
        return processing.close(ProviderEventState.PROCESSED, result, subject.rows.payment.id)
    stored.count_confirmation(event.id)
    return clock.now() + timedelta(seconds=wait_s)


def _claim_of_payment(event: ProviderEvent, parsed: CallbackEvent, subject: Subject) -> ProviderResult | None:
    """What a callback that is vouched for reports: that the payment was paid, which the provider has not confirmed."""
    attempt = subject.attempt
    is_open = attempt.state in OPEN_ATTEMPTS
    is_vouched = _is_vouched(event, parsed, attempt.callback_token)
    return parsed.reported if is_open and is_vouched and _reports_collection(parsed) else None


def _subject(found: Mapping[str, Any]) -> Subject | None:
    if found["attempt_id"] is None:
        return None
    rows = payment_rows.of_json(found["rows"])
    attempt = rows.attempt(uuid.UUID(found["attempt_id"]))
    if found["refund_id"] is not None:
        return Subject(rows, attempt, [rows.refund(uuid.UUID(found["refund_id"]))])
    is_paid = attempt.state == AttemptState.SUCCEEDED
    still_open = [refund for refund in rows.refunds_of(attempt) if refund.state in OPEN_REFUNDS]
    return Subject(rows, attempt, still_open if is_paid else [])


def _try_to_apply(processing: Processing, parsed: CallbackEvent, subject: Subject) -> tuple[bool, int]:
    """Whether everything is now as the callback reports; else how many seconds to wait for a better answer."""
    try:
        return _apply(processing, parsed, subject), CONFIRM_AGAIN_S
    except UnclearAnswer as answer:
        if parsed.kind is Kind.REFUND:
            raise  # only this callback tells of a refund made elsewhere: as a dead letter it reaches an operator
        # Not a failure of this job: the payment stays open, and its own job asks on.
        log.warning("callback.answer_unclear", provider=processing.event.provider, code=answer.code)
        return False, UNCLEAR_WAIT_S


def _changes_nothing(parsed: CallbackEvent, subject: Subject) -> bool:
    """An event of an unknown kind is a reason to query what is open, and no more."""
    is_open = bool(subject.refunds) or subject.attempt.state in OPEN_ATTEMPTS
    return parsed.kind is Kind.OTHER and not is_open


def _apply(processing: Processing, parsed: CallbackEvent, subject: Subject) -> bool:
    """Whether everything is now as the callback reports."""
    event, rows, attempt, refunds = processing.event, subject.rows, subject.attempt, subject.refunds
    is_vouched = _is_vouched(event, parsed, attempt.callback_token)
    if parsed.kind is Kind.DISPUTE:
        return process_disputes.process_dispute(parsed, rows, attempt) if is_vouched else True
    settled = [
        process_refunds.process_refund(
            parsed, rows, refund, is_vouched=_is_vouched(event, parsed, refund.callback_token)
        )
        for refund in refunds
    ]
    is_reversal = _is_reversal(parsed)
    if parsed.kind is Kind.REFUND and attempt.state in COLLECTED and not is_reversal:
        is_identified = any(
            refund.state != RefundState.FAILED and _names(event, refund) for refund in refunds
        )
        return all(settled) and (
            is_identified
            or process_refunds.process_external_refunds(event, parsed, rows, attempt, is_vouched=is_vouched)
        )
    if not refunds:
        return _about_payment(parsed, rows, attempt, is_vouched=is_vouched, processing=processing)
    if is_reversal or _reports_collection(parsed):
        settled.append(
            _about_payment(parsed, payment_rows.read(rows.payment.id), attempt, is_vouched=is_vouched)
        )
    return all(settled)


def _reports_collection(parsed: CallbackEvent) -> bool:
    """It says that the payment was paid: it may have the receipt that an open refund waits for."""
    reported = parsed.reported
    return parsed.kind is Kind.PAYMENT and reported is not None and reported.state is State.SUCCEEDED


def _is_reversal(parsed: CallbackEvent) -> bool:
    return parsed.reported is not None and parsed.reported.state is State.REVERSED


def _names(event: ProviderEvent, refund: Refund) -> bool:
    return event.path_token == refund.callback_token or (
        event.reference == refund.reference
        or (refund.provider_reference is not None and event.provider_reference == refund.provider_reference)
    )


def dead_letter(event_id: uuid.UUID, error: str) -> None:
    """Processing has failed too often: a dead letter, which an operator may retry."""
    transaction(
        lambda s: s.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event_id, ProviderEvent.state == ProviderEventState.RECEIVED)
            .values(state=ProviderEventState.DEAD, result=error, processed_at=clock.now())
        )
    )


def _about_payment(
    parsed: CallbackEvent,
    rows: PaymentRows,
    attempt: PaymentAttempt,
    *,
    is_vouched: bool,
    processing: Processing | None = None,
) -> bool:
    """Whether the payment is now as the callback reports, or final anyway.

    processing: is ended in the statement that applies the answer; None where the callback is about refunds, too.
    """
    if parsed.answer_to is not None:
        return _apply_answer(parsed, rows, attempt)
    query_id = provider_ids.to_query(parsed, attempt)
    if query_id is provider_ids.ABOUT_ANOTHER or _is_old_hint(parsed, attempt, processing):
        return True
    reported = parsed.reported
    if (
        attempt.state == AttemptState.SUCCEEDED
        and reported is not None
        and reported.state is not State.REVERSED
    ):
        receipts.keep_receipt(rows, attempt.id, reported, is_vouched=is_vouched)
        return True
    provider = provider_accounts.of_attempt(attempt)
    if Kind.PAYMENT not in provider.capabilities.inquiry_kinds:
        return _apply_reported(rows, attempt, query_id, reported, is_vouched=is_vouched)
    outcome = payment_follow_up.inquire(rows.payment, attempt, provider_reference=query_id)
    if isinstance(outcome, OutcomeUnknown) and outcome.code == OTHER_ID:
        return False  # not an id of this payment: nothing of it is kept
    if is_vouched:
        if (answer := provider_ids.with_id(outcome, query_id, reported)) is not None:
            outcome = answer
        else:
            rows = provider_ids.adopt(rows, attempt, query_id)
            attempt = rows.attempt(attempt.id)
    return _apply_confirmed(rows, attempt, reported, outcome, is_vouched=is_vouched, processing=processing)


def _is_old_hint(parsed: CallbackEvent, attempt: PaymentAttempt, processing: Processing | None) -> bool:
    """Whether it reports nothing, and the provider has said since it came that the payment was paid. What happens to the money later
    comes in a callback of its own, a signed one."""
    if processing is None or processing.event.repeats or parsed.reported is not None or parsed.is_verified:
        return False  # a repeated one came later than its row says
    has_signed_ones = PROVIDERS[attempt.provider].capabilities.signs_callbacks
    is_paid = has_signed_ones and attempt.state == AttemptState.SUCCEEDED
    return is_paid and attempt.updated_at > processing.event.received_at


def _apply_answer(parsed: CallbackEvent, rows: PaymentRows, attempt: PaymentAttempt) -> bool:
    """The answer to our query about a receipt: it counts where it names the query's id, which only the provider knows, and says that
    the receipt that was kept is paid."""
    reported, asked = parsed.reported, (rows.payment.provider_response or {}).get(QUESTION)
    is_ours = parsed.answer_to == asked and reported is not None and reported.receipt == attempt.receipt
    if is_ours and reported is not None and reported.state is State.SUCCEEDED and claims.has_claim(attempt):
        _apply_outcome(rows, attempt.id, reported)
    return True


def _apply_confirmed(
    rows: PaymentRows,
    attempt: PaymentAttempt,
    reported: ProviderResult | None,
    outcome: Outcome,
    *,
    is_vouched: bool,
    processing: Processing | None,
) -> bool:
    """Apply the provider's answer. Whether it confirms the callback, or need not be confirmed again."""
    vouched = reported if is_vouched else None
    if isinstance(outcome, UnconfirmedFailure) and vouched is not None:
        outcome = _confirmed_failure(outcome, vouched)
    if not isinstance(outcome, ProviderResult):
        return _not_answered(rows, attempt, outcome)
    if vouched is not None and claims.contradict(vouched.state, outcome.state):
        receipts.keep_claim(rows, attempt.id, vouched, answered=outcome.state)
        return False
    result = _with_receipt(rows, outcome, reported, is_vouched=is_vouched)
    is_confirmed = _is_confirmed(reported, outcome)
    is_final = result.state not in NOT_FINAL

    def decide(writes: PaymentWrites) -> bool:
        """Whether the attempt has an id to query by, or needs none any more."""
        now = writes.rows.attempt(attempt.id)
        if vouched is not None and vouched.state is result.state:
            claims.forget_claim(now)
        payment_outcomes.decide(writes, now, result)
        is_proven = is_final or not _is_unproven(now)
        if processing is not None and is_confirmed and is_proven:
            payment_id = writes.rows.payment.id
            writes.close_callback(
                processing.closing(ProviderEventState.PROCESSED, stored.APPLIED, payment_id)
            )
        return is_proven

    if not store.change(rows, decide, actor="callback").result:
        # The provider does not know this id yet, or it is invented. There is no other id to query by.
        raise OutcomeUnknown(code="not_confirmed")
    if processing is not None:
        processing.is_closed = is_confirmed
    return is_confirmed


def _not_answered(rows: PaymentRows, attempt: PaymentAttempt, outcome: ProviderError) -> bool:
    """Whether the provider need not be queried again for the callback's sake."""
    if isinstance(outcome, WrongEnvironment):
        _apply_outcome(rows, attempt.id, outcome)
        return True
    if isinstance(outcome, RequestRejected) or outcome.code in NOTHING_TO_LEARN:
        return True
    raise outcome  # queried again later: only this callback may hold the provider's id


def _confirmed_failure(outcome: UnconfirmedFailure, vouched: ProviderResult) -> Outcome:
    """A failure by the same code as the callback's; also where the callback reports that it was paid, which it contradicts."""
    is_the_same = vouched.state is State.FAILED and vouched.code == outcome.code
    return outcome.as_failure() if is_the_same or vouched.state is State.SUCCEEDED else outcome


def _with_receipt(
    rows: PaymentRows, outcome: ProviderResult, reported: ProviderResult | None, *, is_vouched: bool
) -> ProviderResult:
    if outcome.state is not State.SUCCEEDED or outcome.receipt is not None:
        return outcome
    return replace(outcome, receipt=receipts.trusted_receipt(reported, is_vouched=is_vouched))


def _is_confirmed(reported: ProviderResult | None, outcome: ProviderResult) -> bool:
    """Whether the provider's answer agrees with what was reported, or nothing final was."""
    if reported is not None and reported.state is State.REVERSED:
        return outcome.state in (State.REVERSED, State.REFUNDED)  # its data may lag behind its callback
    is_final_claim = reported is not None and reported.state not in NOT_FINAL
    return outcome.state not in NOT_FINAL or not is_final_claim


def _apply_outcome(rows: PaymentRows, attempt_id: uuid.UUID, outcome: Outcome) -> None:
    store.change(
        rows,
        lambda writes: payment_outcomes.decide(writes, writes.rows.attempt(attempt_id), outcome),
        actor="callback",
    )


def _is_unproven(attempt: PaymentAttempt) -> bool:
    """Whether the attempt has no id to query by."""
    can_inquire_by_reference = provider_accounts.of_attempt(attempt).capabilities.can_inquire_by_reference
    return not can_inquire_by_reference and attempt.provider_reference is None


def _is_vouched(event: ProviderEvent, parsed: CallbackEvent, token: str) -> bool:
    return parsed.is_verified or event.path_token == token


def _apply_reported(
    rows: PaymentRows,
    attempt: PaymentAttempt,
    reference: str | None,
    reported: ProviderResult | None,
    *,
    is_vouched: bool,
) -> bool:
    """For providers that cannot be queried."""
    if is_vouched:
        rows = provider_ids.adopt(rows, attempt, reference)
    if reported is not None and is_vouched:
        _apply_outcome(rows, attempt.id, reported)
    return True


def _ignore(processing: Processing, parsed: CallbackEvent, subject: Subject | None) -> datetime | Ended:
    if subject is None and (later := process_disputes.look_again(processing.event, parsed)) is not None:
        return later
    event, reason = processing.event, parsed.objection
    if reason:
        log.error("callback.wrong_environment", provider=event.provider, provider_event=str(event.id))
    else:
        reason = "Nothing here has this reference." if subject is None else "Nothing is open."
    payment_id = None if subject is None else subject.rows.payment.id
    return processing.close(ProviderEventState.IGNORED, reason, payment_id)
