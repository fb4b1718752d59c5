"""A payment with all that belongs to it, read as of one moment and written by one statement (store.py).

The rows are instances of the models that belong to no session: rules read and change them like any other object, and
nothing is sent to the database until the write set is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import DateTime, Uuid

from app.extensions import Base
from app.models.payment import AttemptState, Payment, PaymentAttempt, Refund
from app.models.payment_review import PaymentReview
from app.models.types import EnumText

M = TypeVar("M", bound=Base)

MUTABLE: Final[Mapping[type[Base], tuple[str, ...]]] = {
    Payment: (
        "provider", "amount", "currency", "status", "provider_transaction_id", "provider_response", "payment_url",
        "failure_code", "failure_reason", "provider_failure", "fee", "refund_reserved", "refunded", "updated_at",
        "completed_at", "last_write",
    ),
    PaymentAttempt: (
        "state", "provider_reference", "receipt", "collected", "collected_currency", "error_code", "error_message",
        "inquiries", "sendings", "sent_at", "updated_at",
    ),
    Refund: (
        "state", "provider_reference", "error_code", "error_message", "failure_code", "failure_reason", "provider_failure",
        "inquiries", "sent_at", "updated_at", "completed_at",
    ),
    PaymentReview: ("closed_at", "closed_by"),
}  # fmt: skip
"""The columns that sql/payment_apply.sql updates."""


@dataclass(slots=True)
class PaymentRows:
    """attempts: by number. refunds: oldest first. entries: (attempt's id, kind) of what was posted for the attempts.

    versions, before: of the rows that are stored, by id: the version payment_apply compares, and the values as read.
    """

    payment: Payment
    attempts: list[PaymentAttempt]
    refunds: list[Refund] = field(default_factory=list)
    entries: set[tuple[uuid.UUID, str]] = field(default_factory=set)
    versions: dict[uuid.UUID, str] = field(default_factory=dict)
    before: dict[uuid.UUID, tuple[Any, ...]] = field(default_factory=dict)

    def attempt(self, attempt_id: uuid.UUID) -> PaymentAttempt:
        return next(attempt for attempt in self.attempts if attempt.id == attempt_id)

    def refund(self, refund_id: uuid.UUID) -> Refund:
        return next(refund for refund in self.refunds if refund.id == refund_id)

    @property
    def latest_attempt(self) -> PaymentAttempt:
        return self.attempts[-1]

    @property
    def collecting_attempt(self) -> PaymentAttempt | None:
        """The attempt that collected the payment's money."""
        succeeded = (attempt for attempt in self.attempts if attempt.state == AttemptState.SUCCEEDED)
        return next(succeeded, None)

    def refunds_of(self, attempt: PaymentAttempt) -> list[Refund]:
        return [refund for refund in self.refunds if refund.attempt_id == attempt.id]

    def was_posted(self, attempt: PaymentAttempt, *kinds: str) -> bool:
        """Whether an entry of one of the kinds was posted for the attempt."""
        return any((attempt.id, kind) in self.entries for kind in kinds)

    def keep(self, version: str) -> None:
        """The rows as they are now are stored under this version; the payment's was written with any of them."""
        for row in {self.payment, *self.changed()}:
            self.versions[row.id], self.before[row.id] = version, _values(row)

    def changed(self) -> list[Any]:
        """The rows that are new, or have changed since they were read or written."""
        return [row for row in self.all() if self.before.get(row.id) != _values(row)]

    def all(self) -> list[Any]:
        return [self.payment, *self.attempts, *self.refunds, *self.payment.reviews]

    def part(self, row: Any) -> dict[str, Any]:
        """A row for payment_apply: whole when it is new, else its version, its id and what may change."""
        version = self.versions.get(row.id)
        if version is None:
            values = vars(row)
            return {"row": {column: values.get(name) for name, column, _ in _columns(type(row))}}
        return {
            "version": version,
            "row": {name: vars(row).get(name) for name in ("id", *MUTABLE[type(row)])},
        }


def of_json(data: dict[str, Any]) -> PaymentRows:
    """The rows in the answer of the function payment_rows."""
    payment = row_of(Payment, data["payment"]["row"])
    rows = PaymentRows(
        payment,
        [row_of(PaymentAttempt, one["row"]) for one in data["attempts"] or ()],
        [row_of(Refund, one["row"]) for one in data["refunds"] or ()],
        {(uuid.UUID(ref), kind) for ref, kind in data["entries"] or ()},
    )
    payment.reviews.extend(row_of(PaymentReview, one) for one in data["reviews"] or ())
    stored = [data["payment"], *(data["attempts"] or ()), *(data["refunds"] or ())]
    rows.versions = {uuid.UUID(one["row"]["id"]): one["version"] for one in stored}
    rows.versions |= dict.fromkeys((review.id for review in payment.reviews), "")
    rows.before = {row.id: _values(row) for row in rows.all()}
    return rows


def _values(row: Any) -> tuple[Any, ...]:
    # Not by attribute: SQLAlchemy's own would cost a fifth of a payment's time in Python.
    values = vars(row)
    return tuple([values.get(name) for name in MUTABLE[type(row)]])


def row_of(model: type[M], data: Mapping[str, Any]) -> M:
    """The model's instance, of no session, of a row as JSON."""
    return _instance(
        model,
        {
            name: data[column] if convert is None or data[column] is None else convert(data[column])
            for name, column, convert in _columns(model)
        },
    )


def new_row(model: type[M], **values: Any) -> M:
    """A new instance, of no session; columns that are not given are None."""
    return _instance(model, {name: values.get(name) for name, _, _ in _columns(model)})


def _instance(model: type[M], values: dict[str, Any]) -> M:
    # Without SQLAlchemy's events for each attribute: nothing is ever flushed, and they cost more than all rules together.
    row: M = model.__mapper__.class_manager.new_instance()
    vars(row).update(values)
    if model is Payment:
        vars(row)["reviews"] = []
    return row


_Converter = Callable[[Any], Any] | None


def _converter(type_: Any) -> _Converter:
    """From JSON to the attribute's type."""
    if isinstance(type_, Uuid):
        return uuid.UUID
    if isinstance(type_, DateTime):
        return datetime.fromisoformat
    if isinstance(type_, EnumText):
        return type_.members
    return None


def _columns(model: type[Any]) -> tuple[tuple[str, str, _Converter], ...]:
    """(attribute, column, converter) of each."""
    found = _known_columns.get(model)
    if found is None:
        found = _known_columns[model] = tuple(
            (attribute.key, str(attribute.columns[0].name), _converter(attribute.columns[0].type))
            for attribute in model.__mapper__.column_attrs
        )
    return found


_known_columns: Final[dict[type[Any], tuple[tuple[str, str, _Converter], ...]]] = {}
