"""A snapshot of a payment with one attempt in the database: statuses, refunds, postings and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SNAPSHOT_SQL = """
SELECT p.status, p.amount, p.refund_reserved, p.refunded, a.state, a.collected, a.sendings,
  (SELECT coalesce(json_agg(json_build_array(r.id, r.state, r.amount, r.is_from_suspense) ORDER BY r.id), '[]')
     FROM refunds r WHERE r.payment_id = p.id),
  (SELECT coalesce(json_agg(json_build_array(e.kind, t.kind, t.currency, o.amount) ORDER BY o.id), '[]')
     FROM entries e JOIN postings o ON o.entry_id = e.id JOIN accounts t ON t.id = o.account_id
     WHERE e.ref_id = a.id OR e.ref_id IN (SELECT r.id FROM refunds r WHERE r.payment_id = p.id)),
  (SELECT coalesce(json_agg(json_build_array(e.type, e.data->>'status') ORDER BY e.id), '[]')
     FROM outbox e WHERE e.object_id = p.id::text)
FROM payments p JOIN payment_attempts a ON a.payment_id = p.id WHERE p.id = :id
"""


@dataclass(frozen=True)
class PaymentSnapshot:
    """What the database says of the machine's payment. postings: entry's kind, account's kind, currency, amount."""

    status: str
    amount: int
    reserved: int
    refunded: int
    attempt: str
    collected: int | None
    sendings: int
    refunds: list[list[Any]]
    postings: list[list[Any]]
    events: list[list[str]]

    def posting_count(self, kind: str) -> int:
        """How often an entry of this kind touched a clearing account, or a suspense account on its way out."""
        side = "suspense" if kind == "suspense_release" else "clearing"
        return sum(entry == kind and account == side for entry, account, *_ in self.postings)

    def clearing(self, currency: str) -> int:
        return sum(p[3] for p in self.postings if p[1] == "clearing" and p[2] == currency)
