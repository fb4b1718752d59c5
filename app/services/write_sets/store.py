"""Applies write sets: one round trip each.

Guarantees: all of a write set is written or nothing of it, and only if the rows, and the reference data, are still those it
was decided by; otherwise it is decided again by newer ones. A write set is applied once, also when the acknowledgement of its
commit is lost. Nothing is locked, and no connection is held, while something is decided or a provider is called.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import psycopg2
from psycopg2 import errors as postgres_errors

from app import clock, ledger
from app.errors import GatewayError, IdempotencyConflict
from app.json_text import json_text
from app.models.idempotency import IdempotencyRecord
from app.principal import EventActor
from app.services import reference_data
from app.services.idempotency_service import Answer, Claim, stored_refusal
from app.services.write_sets.rows import Aggregate
from app.services.write_sets.write_set import WriteSet
from app.unit_of_work import call

T = TypeVar("T")
R = TypeVar("R", bound=Aggregate)

MAX_TRIES: Final = 20
"""Times that something is decided about rows that others change at the same moment."""

LONGEST_PAUSE_S: Final = 0.02
"""Before it is decided again."""

_LEDGER_REFUSED: Final = "LG012"


class RowsChanged(Exception):
    """A row, or what the ledger's account had, is not what was decided by, or another has added it. Nothing was written."""


class ReferenceChanged(Exception):
    """Reference data has changed since it was read. Nothing was written."""


class ReferenceTaken(Exception):
    """The provider's id or receipt is another attempt's. Nothing was written."""


class OrderTaken(Exception):
    """Another payment of the order is alive or has collected, or the order is cancelled. Nothing was written."""


class KeyKnown(Exception):
    """The key was claimed by another request, whose record this is. Nothing was written."""

    def __init__(self, record: IdempotencyRecord) -> None:
        super().__init__(record)
        self.record = record


_REFUSALS: Final[Mapping[str, type[Exception]]] = MappingProxyType(
    {"LG010": RowsChanged, "LG011": ReferenceChanged, "LG013": OrderTaken}
)
_INDEXES: Final[Mapping[str, type[Exception]]] = MappingProxyType(
    {
        "payment_attempts_provider_reference": ReferenceTaken,
        "payment_attempts_receipt": ReferenceTaken,
        "payments_live_of_order": OrderTaken,
        # Rows that two requests may add at once: the later one decides again, by the row that is there.
        "payout_destinations_pkey": RowsChanged,
        "payout_destinations_tenant_id_digest_key": RowsChanged,
        "withdrawal_approvals_withdrawal_id_user_id_key": RowsChanged,
    }
)
"""What the SQL function raised, and the unique index that a row violates → what that means."""


@dataclass(frozen=True, slots=True)
class Written(Generic[R, T]):
    """result: what the decision returned. rows: as they are stored now."""

    result: T
    rows: R


def change(rows: R, decide: Callable[[WriteSet[R]], T], *, actor: EventActor) -> Written[R, T]:
    """Have `decide` change the rows, and write that; again by newer rows where others have changed them meanwhile.

    `decide` may run several times, so it has no effects but on its write set. What it raises is raised, and nothing is
    written. Raises KeyKnown, OrderTaken; InsufficientBalance, PermissionDenied (the ledger's refusals); IdempotencyConflict when
    others change the rows all the time; and as unit_of_work.call.
    """
    is_reference_taken = False
    for number in range(MAX_TRIES):
        writes = WriteSet(rows, reference_data.current(), clock.now(), actor, is_reference_taken)
        result = decide(writes)
        try:
            return Written(result, apply(writes))
        except (RowsChanged, ReferenceChanged, ReferenceTaken) as reason:
            if isinstance(reason, ReferenceChanged):
                reference_data.renew()
            is_reference_taken = is_reference_taken or isinstance(reason, ReferenceTaken)
        rows = rows.read_again()
        if rows.root.last_write == writes.id:
            return Written(result, rows)  # it was applied, and its acknowledgement lost
        time.sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.001 * 2**number)))
    raise IdempotencyConflict("This is being changed by others; try again.", retry_after_s=1)


def apply(writes: WriteSet[R]) -> R:
    """Write it; the rows as they are stored now.

    Raises RowsChanged, ReferenceChanged, ReferenceTaken, OrderTaken, KeyKnown, and the ledger's refusals.
    """
    parts = writes.parts | _changed_rows(writes)
    if not parts:
        return writes.rows
    try:
        version, known = call(
            "write_set_apply(%s, %s, %s)", writes.now, writes.reference.version, json_text(parts)
        )
    except psycopg2.Error as error:
        raise _meaning(error, writes) from error
    if known is None:
        writes.rows.keep(version)
        return writes.rows
    record = _record(known)
    if record.resource_id != parts["claim"]["resource_id"]:
        raise KeyKnown(record)
    return writes.rows.read_again()  # it was applied, and its acknowledgement lost


def refused(error: GatewayError, claim: Claim, *, known: Callable[[IdempotencyRecord], Answer]) -> Answer:
    """Raises the refusal, which is the key's answer from now on, or returns what the key has led to meanwhile (`known`)."""
    if not error.is_answer:
        raise error
    try:
        _refuse(claim, error)
    except KeyKnown as key:
        return known(key.record)
    raise error


def _refuse(claim: Claim, error: GatewayError) -> None:
    """Claim the key, with a refusal as its answer. Raises KeyKnown."""
    claimed = {
        "scope": claim.scope,
        "fingerprint": claim.fingerprint.hex(),
        "resource_id": None,
        "leased_until": None,
    }
    status, body = stored_refusal(error)
    answer = {"scope": claim.scope, "status": status, "body": body, "is_refusal": True, "resource_id": None}
    parts = {"claim": claimed, "answer": answer}
    _, known = call("write_set_apply(%s, %s, %s)", clock.now(), None, json_text(parts))
    if known is not None:
        raise KeyKnown(_record(known))


def _changed_rows(writes: WriteSet[Any]) -> dict[str, Any]:
    """The root goes with every change of what belongs to it: its row is the version of all of it."""
    rows = writes.rows
    changed = rows.changed()
    if not changed and not writes.parts:
        return {}
    rows.root.last_write = writes.id
    parts: dict[str, Any] = {rows.part_of_root: rows.part(rows.root)}
    for name, members in rows.members().items():
        if found := [rows.part(row) for row in members if row in changed]:
            parts[name] = found
    return parts


def _meaning(error: psycopg2.Error, writes: WriteSet[Any]) -> Exception:
    if (refused := _REFUSALS.get(error.pgcode or "")) is not None:
        return refused()
    if error.pgcode == _LEDGER_REFUSED:
        if writes.takes_what_is_there:
            return RowsChanged()
        try:
            ledger.raise_refusal(error.diag.message_primary or "", "posted")
        except GatewayError as refusal:
            return refusal
    if isinstance(error, postgres_errors.UniqueViolation):
        taken = _INDEXES.get(error.diag.constraint_name or "")
        return error if taken is None else taken()
    return error


def _record(known: dict[str, Any]) -> IdempotencyRecord:
    return IdempotencyRecord(
        scope=uuid.UUID(known["scope"]),
        fingerprint=bytes.fromhex(known["fingerprint"]),
        resource_id=uuid.UUID(known["resource_id"]) if known["resource_id"] else None,
        status=known["status"],
        is_refusal=known["is_refusal"],
        body=known["body"],
        leased_until=datetime.fromisoformat(known["leased_until"]) if known["leased_until"] else None,
        created_at=datetime.fromisoformat(known["created_at"]),
    )
