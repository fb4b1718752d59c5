"""What is to be written about one aggregate: decided from its rows, in memory, and performed by one SQL function if they are
still those rows (store.py, sql/write_set_apply.sql).

A rule changes rows, and says by the methods here what else belongs to the change. Nothing happens until the write set is
applied; then all of it does, or nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from app import ids
from app.events import outbox
from app.events.catalogue import EventType
from app.json_text import json_text
from app.ledger.chart import ChartAccount
from app.models.job import JobKind
from app.principal import EventActor
from app.services.idempotency_service import Answer, Claim
from app.services.reference_data import ReferenceData
from app.services.write_sets.rows import Aggregate

R = TypeVar("R", bound=Aggregate)


@dataclass(slots=True)
class WriteSet(Generic[R]):
    """rows: changed by the rules. reference: what they decide by beside the rows. now, actor: of all its events.

    is_reference_taken: the id or receipt that the provider answered with is another attempt's, as the database has said.
    takes_what_is_there: an entry takes all that an account had when it was looked at, so that it may have less now.
    id: recognizes this write set when the acknowledgement of its commit was lost.
    """

    rows: R
    reference: ReferenceData
    now: datetime
    actor: EventActor
    is_reference_taken: bool = False
    takes_what_is_there: bool = False
    id: uuid.UUID = field(default_factory=ids.uuid7)
    parts: dict[str, Any] = field(default_factory=dict)

    def record(self, event_type: EventType, data: dict[str, Any], *, is_public: bool = True) -> None:
        """An event of the root."""
        root = self.rows.root
        event = outbox.event_row(
            event_type,
            object_id=str(root.id),
            data=data,
            now=self.now,
            actor=self.actor,
            tenant_id=root.tenant_id,
            is_public=is_public,
        )
        self._add("events", event)

    def post(
        self,
        kind: str,
        *,
        ref_id: uuid.UUID,
        currency: str,
        amounts: Mapping[ChartAccount, int],
        capture: uuid.UUID | None = None,
    ) -> None:
        """An entry: account → signed minor units, summing to zero. capture: the open hold that the debit uses up."""
        by_id = {self.reference.ledger_account(account): amount for account, amount in amounts.items()}
        accounts = sorted(by_id)
        entry = {
            "id": ids.uuid7(),
            "tenant": self.rows.root.tenant_id,
            "kind": kind,
            "ref": ref_id,
            "currency": currency,
            "accounts": accounts,
            "amounts": [by_id[account] for account in accounts],
            "hold": capture,
        }
        self._add("entries", entry)
        self.rows.entries.add((ref_id, kind))

    def take_what_is_there(self, account: ChartAccount, most: int) -> int:
        """How many of `most` minor units the account can spend, beside what this write set has taken of it. An entry that
        takes them may find less: then it is decided again."""
        self.takes_what_is_there = True
        account_id = self.reference.ledger_account(account)
        taken: int = sum(
            -amount
            for entry in self.parts.get("entries", ())
            for one, amount in zip(entry["accounts"], entry["amounts"], strict=True)
            if one == account_id and amount < 0
        )
        return max(0, min(most, self.reference.spendable(account) - taken))

    def hold(self, ref_id: uuid.UUID, account: ChartAccount, amount: int) -> None:
        """Set minor units of the account aside under `ref_id`."""
        account_id = self.reference.ledger_account(account)
        self._add("holds", {"ref": ref_id, "account": account_id, "amount": amount})

    def release(self, ref_id: uuid.UUID) -> None:
        """Free a hold."""
        self._add("releases", ref_id)

    def add_job(self, kind: JobKind, ref: uuid.UUID, *, run_at: datetime) -> None:
        """A job; nothing happens where there is one for this `ref`."""
        self._add(
            "jobs", {"action": "add", "kind": kind, "ref": str(ref), "run_at": run_at, "id": ids.uuid7()}
        )

    def run_job_by(self, kind: JobKind, ref: uuid.UUID, run_at: datetime) -> None:
        """The waiting job runs no later than this."""
        self._add("jobs", {"action": "run_by", "kind": kind, "ref": str(ref), "run_at": run_at})

    def end_job(self, kind: JobKind, ref: uuid.UUID) -> None:
        """Nothing is left to do: the waiting job is deleted, and one of this write set is not added."""
        if jobs := self.parts.get("jobs"):
            added = ("add", kind, str(ref))
            self.parts["jobs"] = [job for job in jobs if (job["action"], job["kind"], job["ref"]) != added]
        self._add("jobs", {"action": "end", "kind": kind, "ref": str(ref)})

    def claim(self, claim: Claim, *, resource_id: uuid.UUID, lease: timedelta) -> None:
        """Claim a key before anything else is written. resource_id: made for this request alone, since a claim that was applied
        while its acknowledgement was lost is recognized by it (store.py)."""
        self.parts["claim"] = {
            "scope": claim.scope,
            "fingerprint": claim.fingerprint.hex(),
            "resource_id": resource_id,
            "leased_until": self.now + lease,
        }

    def answer(self, claim: Claim, answer: Answer, *, resource_id: uuid.UUID) -> None:
        """Store the answer of a claimed key, where it has none yet."""
        self.parts["answer"] = {
            "scope": claim.scope,
            "status": answer.status,
            "body": json_text(answer.body),
            "is_refusal": False,
            "resource_id": resource_id,
        }

    def close_callback(self, closing: Mapping[str, Any]) -> None:
        """End the callback that reported this, with its job (callbacks/stored.py)."""
        self.parts["callback"] = closing

    def _add(self, part: str, value: Any) -> None:
        self.parts.setdefault(part, []).append(value)
