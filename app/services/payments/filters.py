"""Which payments a list holds: the conditions of a PaymentFilter, each found by an index."""

from __future__ import annotations

import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, or_, select, union
from sqlalchemy.dialects.postgresql import JSONB

from app import ids
from app.errors import InvalidAmount
from app.models.payment import MadeBy, Payment, PaymentAttempt, Refund
from app.money import EXPONENTS, Money

ID_SLACK: Final = timedelta(minutes=1)
"""A payment's id, which begins with the time, is made within this of its `created_at`."""

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?", re.ASCII)
_WORDS: Final = ("true", "false", "null")


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Every criterion that is set must hold.

    phones: any of these, in E.164. email: in any case. receipt: of any attempt. reference: any name of the payment
    (`_with_reference`). amount: in major units, of `currency` or any. created_from is included, created_before is not.
    metadata: (key, value) pairs of the top level; a value is compared as text and as the JSON number or word it spells.
    """

    tenant_id: uuid.UUID | None = None
    api: MadeBy | None = None
    provider: str | None = None
    status: str | None = None
    customer_id: str | None = None
    phones: tuple[str, ...] = ()
    email: str | None = None
    receipt: str | None = None
    reference: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """For a select of payments."""
        for column, value in (
            (Payment.tenant_id, self.tenant_id),
            (Payment.api, self.api),
            (Payment.provider, self.provider),
            (Payment.status, self.status),
            (Payment.customer_id, self.customer_id),
            (Payment.currency, self.currency),
        ):
            if value is not None:
                yield column == value
        if self.phones:
            yield Payment.customer_phone.in_(self.phones)
        if self.email is not None:
            yield func.lower(Payment.customer_email) == self.email.lower()
        if self.receipt is not None:
            yield Payment.id.in_(_with_receipt(self.receipt))
        if self.reference is not None:
            yield Payment.id.in_(_with_reference(self.reference))
        if self.amount is not None:
            yield _of_amount(self.amount)
        yield from self._created()
        for key, value in self.metadata:
            yield or_(*(Payment.payment_metadata.contains(found) for found in _spellings(key, value)))

    def _created(self) -> Iterator[ColumnElement[bool]]:
        # By id too: the list is ordered by it, so the scan begins and ends at the wanted days.
        if self.created_from is not None:
            yield Payment.created_at >= self.created_from
            yield Payment.id >= ids.first_of(self.created_from - ID_SLACK)
        if self.created_before is not None:
            yield Payment.created_at < self.created_before
            yield Payment.id < ids.first_of(self.created_before + ID_SLACK)


def _with_receipt(receipt: str) -> Any:
    return select(PaymentAttempt.payment_id).where(PaymentAttempt.receipt.in_(_cases(receipt)))


def _with_reference(text: str) -> Any:
    """Payments with this reference of the merchant's or Idempotency-Key, and those with an attempt or a refund that the gateway or the provider calls
    so; the short reference is what payers and statements show."""
    found = [
        select(Payment.id).where(Payment.reference == text),
        select(Payment.id).where(Payment.idempotency_key == text),
        select(PaymentAttempt.payment_id).where(PaymentAttempt.reference == text),
        select(PaymentAttempt.payment_id).where(PaymentAttempt.short_reference == text.upper()),
        select(PaymentAttempt.payment_id).where(PaymentAttempt.provider_reference == text),
        select(Refund.payment_id).where(Refund.reference == text),
        select(Refund.payment_id).where(Refund.provider_reference == text),
    ]
    return union(*found)


def _cases(text: str) -> set[str]:
    """Receipts of phones are in capitals, others may not be."""
    return {text, text.upper()}


def _of_amount(amount: Decimal) -> ColumnElement[bool]:
    currencies: defaultdict[int, list[str]] = defaultdict(list)
    for currency in EXPONENTS:
        with suppress(InvalidAmount):  # more decimals than the currency has
            currencies[Money.parse(amount, currency).amount_minor].append(currency)
    if not currencies:
        return literal(False)
    return or_(
        *(
            and_(Payment.amount == minor, Payment.currency.in_(codes))
            for minor, codes in sorted(currencies.items())
        )
    )


def _spellings(key: str, value: str) -> Iterator[ColumnElement[Any]]:
    """The JSON objects that hold `value` under `key`, as text and as a number or word."""
    yield _json(json.dumps({key: value}))
    if value in _WORDS or _NUMBER.fullmatch(value):
        yield _json(f"{{{json.dumps(key)}: {value}}}")


def _json(text: str) -> ColumnElement[Any]:
    return cast(literal(text, String), JSONB)
