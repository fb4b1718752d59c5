"""Holding our books against the providers', on demand: `flask reconcile`, POST /admin/reconcile, after an outage.

What is open is asked about now instead of at its next turn; work that lost its job gets one again; clearing accounts
are compared with the payments they stand for.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import Any, Final

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import clock, ids, ledger
from app.errors import GatewayError, InvalidRequest, NotFound, TransactionNotFound
from app.events import queue
from app.events.catalogue import PAYMENT_COMPLETED, PAYMENT_FAILED, PAYMENT_REVIEWED
from app.models.payment import Payment, PaymentAttempt, Refund
from app.money import Money
from app.providers import PROVIDERS
from app.providers.base import Result, State
from app.providers.errors import ProviderError
from app.services import (
    payment_driver,
    payment_ledger,
    payment_results,
    refund_driver,
    refund_results,
    refund_service,
)
from app.services.payment_states import OPEN_ATTEMPTS, OPEN_REFUNDS
from app.unit_of_work import reading, transaction

LIMIT: Final = 500
"""Payments asked about in one run; the oldest first."""

NOT_CHECKED: Final = "not checked"

log = structlog.get_logger("reconciliation")


def reconcile(*, provider: str | None = None, budget_s: float = float("inf")) -> dict[str, Any]:
    """Ask about everything that is open. The report: counts, what still waits and why, and the ledger's findings.

    After `budget_s` seconds nobody is asked any more; what was left is in `not_checked`, and its jobs ask in their turn.
    Raises InvalidRequest for an unknown provider.
    """
    until = time.monotonic() + budget_s
    if provider is not None and provider not in PROVIDERS:
        raise InvalidRequest(f"There is no provider {provider}.", field="provider")
    rearmed = transaction(_rearm)
    attempts, refunds = _open(provider)
    outcomes: Counter[str] = Counter()
    for attempt_id in attempts:
        outcomes[_look(attempt_id) if time.monotonic() < until else NOT_CHECKED] += 1
    for refund_id in refunds:
        if time.monotonic() < until:
            refund_driver.look(refund_id, source="reconciliation")
    with reading() as session:
        waiting = _in_review(session)
        findings = [str(finding) for finding in ledger.check(session)]
    report = {
        "checked": len(attempts) - outcomes[NOT_CHECKED], "not_checked": outcomes[NOT_CHECKED], "refunds_checked": len(refunds), "jobs_restarted": rearmed,
        "outcomes": dict(outcomes), "in_review": waiting, "ledger_findings": findings,
    }  # fmt: skip
    log.info("reconciliation.done", checked=len(attempts), findings=len(findings))
    return report


def accept(payment_id: uuid.UUID, *, operator: str) -> None:
    """Money that waits in suspense is the tenant's: the payment is completed with what came.

    Raises TransactionNotFound, InvalidRequest when nothing waits, or the payment has other money.
    """
    now = clock.now()

    def work(session: Session) -> None:
        payment, attempt, collected = _waiting(session, payment_id)
        if attempt.state == "late":
            if _has_other_money(session, attempt):
                raise InvalidRequest(
                    "The payment was collected by another attempt: this money can only go back."
                )
            attempt.state, attempt.updated_at = "succeeded", now
            session.flush()
        payment.fee = payment_ledger.book_from_suspense(session, payment, attempt, collected, now=now)
        # What came is what can be refunded or taken back from now on.
        payment.amount, payment.currency = collected.amount_minor, collected.currency
        if payment.status != "completed" and not payment_results.move(payment, "completed", now=now):
            raise InvalidRequest(f"The payment is {payment.status}: this money can only go back.")
        payment.failure_code = payment.failure_reason = None
        payment_results.close_review(payment, payment_results.ABOUT_MONEY, now=now)
        payment.completed_at, payment.updated_at = payment.completed_at or now, now
        payment_results.record(session, PAYMENT_COMPLETED, payment, source=operator, now=now)

    transaction(work)


def give_back(payment_id: uuid.UUID, *, operator: str) -> uuid.UUID:
    """Refund money that waits in suspense to the customer; the refund's id. Raises as `accept`."""
    refund_id = ids.uuid7()

    def work(session: Session) -> None:
        if session.get(Refund, refund_id) is not None:
            return  # committed before; only the acknowledgement was lost
        payment, attempt, collected = _waiting(session, payment_id)
        refund_service.insert(
            session, refund_id, payment, attempt, amount=collected, reason=f"Returned by {operator}",
            is_sending=False, is_from_suspense=True,
        )  # fmt: skip
        if attempt.state == "succeeded" and payment_results.move(payment, "failed", now=clock.now()):
            payment.failure_code, payment.failure_reason = (
                "returned",
                "What came was another amount; it goes back.",
            )
            payment_results.record(session, PAYMENT_FAILED, payment, source=operator, now=clock.now())
        payment_results.review(session, payment, "being_returned", source=operator, now=clock.now())

    transaction(work)
    return refund_id


def reviewed(payment_id: uuid.UUID, *, operator: str) -> None:
    """A person has looked at the payment, and nothing is to be done. Money in suspense stays to be decided about.

    Raises TransactionNotFound, InvalidRequest.
    """

    def work(session: Session) -> None:
        payment = _locked(session, payment_id)
        if payment.review is None or payment.review in payment_results.ABOUT_MONEY:
            raise InvalidRequest("Nothing that could be closed like this is open on the payment.")
        now = clock.now()
        payment_results.close_review(payment, {payment.review}, now=now)
        payment_results.record(session, PAYMENT_REVIEWED, payment, source=operator, now=now)

    transaction(work)


def declare(payment_id: uuid.UUID, state: State, *, receipt: str | None, operator: str) -> Payment:
    """An operator's word on a payment nobody can be asked about: SUCCEEDED (with the provider's receipt) or FAILED.

    Raises TransactionNotFound, InvalidRequest.
    """

    def work(session: Session) -> Payment:
        payment, attempt = _with_latest_attempt(session, payment_id)
        if attempt.state not in OPEN_ATTEMPTS:
            raise InvalidRequest(f"The payment is {payment.status}; there is nothing to decide.")
        if state is State.SUCCEEDED and not receipt:
            raise InvalidRequest("A payment is declared collected with the provider's receipt.")
        result = Result(state, receipt=receipt, code="operator", message=f"Decided by {operator}.")
        return payment_results.apply(session, attempt.id, result, source=operator, now=clock.now()).payment

    return transaction(work)


def declare_refund(refund_id: uuid.UUID, state: State, *, operator: str) -> Refund:
    """An operator's word on a refund nobody can be asked about: SUCCEEDED (the customer has it) or FAILED.

    Raises NotFound, InvalidRequest when it is final.
    """

    def work(session: Session) -> Refund:
        if session.get(Refund, refund_id) is None:
            raise NotFound("There is no such refund.")
        if refund_results.lock(session, refund_id).refund.state not in OPEN_REFUNDS:
            raise InvalidRequest("The refund is final; there is nothing to decide.")
        result = Result(state, code="operator", message=f"Decided by {operator}.")
        return refund_results.apply(session, refund_id, result, source=operator, now=clock.now()).refund

    return transaction(work)


def _open(provider: str | None) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    attempts = select(PaymentAttempt.id).where(PaymentAttempt.state.in_(OPEN_ATTEMPTS))
    refunds = select(Refund.id).join(PaymentAttempt, PaymentAttempt.id == Refund.attempt_id)
    refunds = refunds.where(Refund.state.in_(OPEN_REFUNDS))
    if provider is not None:
        attempts = attempts.where(PaymentAttempt.provider == provider)
        refunds = refunds.where(PaymentAttempt.provider == provider)
    with reading() as session:
        return (
            list(session.scalars(attempts.order_by(PaymentAttempt.id).limit(LIMIT))),
            list(session.scalars(refunds.order_by(Refund.id).limit(LIMIT))),
        )


def _look(attempt_id: uuid.UUID) -> str:
    try:
        return payment_driver.look(attempt_id).status
    except ProviderError as error:
        return f"not told: {error.code}"
    except GatewayError as error:
        return f"not asked: {error.code}"


def _rearm(session: Session) -> int:
    """Open work whose job is dead or missing is due again."""
    now = clock.now()
    lost = text(
        "SELECT a.id FROM payment_attempts a WHERE a.state = ANY(:states) AND NOT EXISTS "
        "(SELECT FROM jobs j WHERE j.kind = :kind AND j.ref = a.id::text AND j.state = 'due') LIMIT :limit"
    )
    values = {"states": list(OPEN_ATTEMPTS), "kind": payment_driver.KIND, "limit": LIMIT}
    attempts = list(session.scalars(lost, values))
    for attempt_id in attempts:
        payload = {"attempt_id": str(attempt_id)}
        queue.rearm(session, payment_driver.KIND, ref=str(attempt_id), run_at=now, now=now, payload=payload)
    lost = text(str(lost).replace("payment_attempts", "refunds"))
    values = {"states": list(OPEN_REFUNDS), "kind": refund_driver.KIND, "limit": LIMIT}
    refunds = list(session.scalars(lost, values))
    for refund_id in refunds:
        payload = {"refund_id": str(refund_id)}
        queue.rearm(session, refund_driver.KIND, ref=str(refund_id), run_at=now, now=now, payload=payload)
    return len(attempts) + len(refunds)


def _in_review(session: Session) -> list[dict[str, str]]:
    rows = session.execute(
        select(Payment.id, Payment.review, Payment.provider).where(Payment.review.is_not(None)).limit(LIMIT)
    )
    return [{"payment_id": str(row.id), "why": row.review or "", "provider": row.provider} for row in rows]


def _waiting(session: Session, payment_id: uuid.UUID) -> tuple[Payment, PaymentAttempt, Money]:
    """The payment, and the attempt whose money waits in suspense, with what it is."""
    payment = _locked(session, payment_id)
    attempts = select(PaymentAttempt).where(
        PaymentAttempt.payment_id == payment_id, PaymentAttempt.collected.is_not(None)
    )
    for attempt in session.scalars(attempts.order_by(PaymentAttempt.number)):
        waiting = payment_ledger.waiting_in_suspense(session, attempt)
        if waiting is not None:
            return payment, attempt, waiting
    raise InvalidRequest("No money of this payment waits for a decision.")


def _has_other_money(session: Session, attempt: PaymentAttempt) -> bool:
    others = select(PaymentAttempt.id).where(
        PaymentAttempt.payment_id == attempt.payment_id, PaymentAttempt.id != attempt.id,
        PaymentAttempt.state.in_((*OPEN_ATTEMPTS, "succeeded")),
    )  # fmt: skip
    return session.scalars(others.limit(1)).first() is not None


def _with_latest_attempt(session: Session, payment_id: uuid.UUID) -> tuple[Payment, PaymentAttempt]:
    payment = _locked(session, payment_id)
    wanted = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
    return payment, session.scalars(wanted.order_by(PaymentAttempt.number.desc()).limit(1)).one()


def _locked(session: Session, payment_id: uuid.UUID) -> Payment:
    if session.get(Payment, payment_id) is None:
        raise TransactionNotFound
    return payment_results.lock_payment(session, payment_id)
