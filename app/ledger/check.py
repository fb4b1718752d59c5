"""`flask ledger check`: proves on live data that no money appeared or vanished.

Each rule is one statement, so it sees one moment and may run beside traffic.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

SHOWN: Final = 20
"""Findings listed for each rule; to see more, correct these and run it again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: which rule, which row, and the two figures that should agree."""

    rule: str
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: expected {self.expected}, found {self.found}"


RULES: Final = {
    "entry sums to zero": """
        SELECT e.id::text, '0', coalesce(sum(p.amount), 0)::text FROM entries e LEFT JOIN postings p ON p.entry_id = e.id
        GROUP BY e.id HAVING coalesce(sum(p.amount), 0) <> 0 OR count(p.id) < 2""",
    "posting has its entry": """
        SELECT p.id::text, p.entry_id::text, 'none' FROM postings p
        WHERE NOT EXISTS (SELECT FROM entries e WHERE e.id = p.entry_id)""",
    "posting is on an account of its entry's currency": """
        SELECT p.id::text, e.currency, coalesce(a.currency, 'no account') FROM postings p
        JOIN entries e ON e.id = p.entry_id LEFT JOIN accounts a ON a.id = p.account_id
        WHERE a.currency IS DISTINCT FROM e.currency""",
    "balance equals postings": """
        SELECT b.public_id, coalesce(p.amount, 0)::text, b.balance::text FROM account_balances b
        LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM postings GROUP BY account_id) p ON p.account_id = b.id
        WHERE b.balance <> coalesce(p.amount, 0)""",
    "queue row has its posting": """
        SELECT u.account_id || '/' || u.posting_id, u.amount::text, coalesce(p.amount::text, 'no posting') FROM unfolded u
        LEFT JOIN postings p ON p.id = u.posting_id AND p.account_id = u.account_id WHERE p.amount IS DISTINCT FROM u.amount""",
    "balance mark equals postings": """
        SELECT m.account_id || '/' || m.posting_id, m.sum::text, (m.balance - m.had)::text FROM (
          SELECT m.*, (SELECT coalesce(sum(p.amount), 0) FROM postings p
            WHERE p.account_id = m.account_id AND p.id > m.previous AND p.id <= m.posting_id) AS sum
          FROM (SELECT *, lag(posting_id, 1, 0::bigint) OVER earlier AS previous, lag(balance, 1, 0::bigint) OVER earlier AS had
            FROM balance_marks WINDOW earlier AS (PARTITION BY account_id ORDER BY posting_id)) m) m
        WHERE m.balance - m.had <> m.sum""",
    "held equals open holds": """
        SELECT a.public_id, coalesce(h.amount, 0)::text, a.held::text FROM accounts a
        LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM holds WHERE state = 'open' GROUP BY account_id) h
          ON h.account_id = a.id WHERE a.held <> coalesce(h.amount, 0)""",
    "floored account covers its holds": """
        SELECT public_id, held::text, balance::text FROM accounts WHERE floored AND balance < held""",
    "wallet payment has its entry": """
        SELECT w.id::text, w.amount::text, coalesce(max(p.amount)::text, 'no entry') FROM wallet_payments w
        LEFT JOIN entries e ON e.id = w.entry_id AND e.ref_id = w.id AND e.kind = 'wallet_payment'
        LEFT JOIN postings p ON p.entry_id = e.id
        GROUP BY w.id, w.amount HAVING max(p.amount) IS DISTINCT FROM w.amount OR min(p.amount) IS DISTINCT FROM -w.amount""",
    "wallet payment entry has its payment": """
        SELECT e.id::text, 'a payment', 'none' FROM entries e
        WHERE e.kind = 'wallet_payment' AND NOT EXISTS (SELECT FROM wallet_payments w WHERE w.id = e.ref_id)""",
    "direct funding has its entry": """
        SELECT c.id::text, c.amount::text, coalesce(max(p.amount)::text, 'no entry') FROM direct_fundings c
        LEFT JOIN entries e ON e.id = c.entry_id AND e.ref_id = c.id AND e.kind = c.kind
        LEFT JOIN postings p ON p.entry_id = e.id
        GROUP BY c.id, c.amount HAVING max(p.amount) IS DISTINCT FROM c.amount""",
    "collected attempt has its entry": """
        SELECT a.id::text, a.collected || ' ' || a.collected_currency,
          coalesce(max(-p.amount) || ' ' || min(e.currency), 'no entry') FROM payment_attempts a
        LEFT JOIN entries e ON e.ref_id = a.id AND e.kind IN ('payment', 'suspense')
        LEFT JOIN postings p ON p.entry_id = e.id AND p.account_id IN (SELECT id FROM accounts WHERE kind = 'clearing')
        WHERE a.collected IS NOT NULL
        GROUP BY a.id HAVING max(-p.amount) IS DISTINCT FROM a.collected OR count(DISTINCT e.id) <> 1
          OR min(e.currency) IS DISTINCT FROM a.collected_currency""",
    "payment entry has its attempt": """
        SELECT e.id::text, 'a collected attempt', coalesce(a.state, 'none') FROM entries e
        LEFT JOIN payment_attempts a ON a.id = e.ref_id
        WHERE e.kind IN ('payment', 'suspense') AND a.collected IS NULL""",
    "completed payment has one collected attempt": """
        SELECT p.id::text, '1', count(a.id)::text FROM payments p
        LEFT JOIN payment_attempts a ON a.payment_id = p.id AND a.collected IS NOT NULL
          AND a.state IN ('succeeded', 'late', 'reversed')
        WHERE p.status IN ('completed', 'partially_refunded', 'refunded', 'reversed')
        GROUP BY p.id HAVING count(a.id) < 1""",
    "completed refund has its entry": """
        SELECT f.id::text, f.amount::text, coalesce(max(p.amount)::text, 'no entry') FROM refunds f
        LEFT JOIN entries e ON e.ref_id = f.id AND e.kind = 'refund' LEFT JOIN postings p ON p.entry_id = e.id
        WHERE f.state = 'completed' GROUP BY f.id, f.amount HAVING max(p.amount) IS DISTINCT FROM f.amount""",
    "refund entry has its refund, completed or returned": """
        SELECT e.id::text, CASE WHEN r.id IS NULL THEN 'completed' ELSE 'failed' END, coalesce(f.state, 'none')
        FROM entries e LEFT JOIN refunds f ON f.id = e.ref_id
        LEFT JOIN entries r ON r.ref_id = e.ref_id AND r.kind = 'refund_return'
        WHERE e.kind = 'refund' AND f.state IS DISTINCT FROM CASE WHEN r.id IS NULL THEN 'completed' ELSE 'failed' END""",
    "returned refund has its refund entry": """
        SELECT e.id::text, 'a refund entry', 'none' FROM entries e WHERE e.kind = 'refund_return'
        AND NOT EXISTS (SELECT FROM entries r WHERE r.ref_id = e.ref_id AND r.kind = 'refund')""",
    "open refund has its hold": """
        SELECT f.id::text, 'an open hold', coalesce(h.state, 'none') FROM refunds f LEFT JOIN holds h ON h.ref_id = f.id
        WHERE NOT f.is_from_suspense AND (f.state IN ('created', 'sending', 'unknown', 'pending')) <> (h.state IS NOT DISTINCT FROM 'open')""",
    "open dispute has its hold": """
        SELECT d.id::text, d.held::text, coalesce(h.amount, 0)::text FROM disputes d
        LEFT JOIN holds h ON h.ref_id = d.id AND h.state = 'open'
        WHERE coalesce(h.amount, 0) <> d.held OR (d.held > 0 AND d.state <> 'open')""",
    "lost dispute has its entry": """
        SELECT d.id::text, d.amount::text, coalesce(max(p.amount)::text, 'no entry') FROM disputes d
        LEFT JOIN entries e ON e.ref_id = d.id AND e.kind = 'dispute'
        LEFT JOIN postings p ON p.entry_id = e.id AND p.account_id IN (SELECT id FROM accounts WHERE kind = 'clearing')
        WHERE d.state = 'lost' GROUP BY d.id, d.amount HAVING max(p.amount) IS DISTINCT FROM d.amount""",
    "dispute entry has its dispute, lost or won after that": """
        SELECT e.id::text, CASE WHEN r.id IS NULL THEN 'lost' ELSE 'won' END, coalesce(d.state, 'none')
        FROM entries e LEFT JOIN disputes d ON d.id = e.ref_id
        LEFT JOIN entries r ON r.ref_id = e.ref_id AND r.kind = 'dispute_return'
        WHERE e.kind = 'dispute' AND d.state IS DISTINCT FROM CASE WHEN r.id IS NULL THEN 'lost' ELSE 'won' END""",
    "returned dispute has its dispute entry": """
        SELECT e.id::text, 'a dispute entry', 'none' FROM entries e WHERE e.kind = 'dispute_return'
        AND NOT EXISTS (SELECT FROM entries r WHERE r.ref_id = e.ref_id AND r.kind = 'dispute')""",
    "completed payout has its entry": """
        SELECT o.id::text, o.amount::text, coalesce(max(p.amount)::text, 'no entry') FROM payouts o
        LEFT JOIN entries e ON e.ref_id = o.id AND e.kind = 'payout'
        LEFT JOIN postings p ON p.entry_id = e.id AND p.account_id IN (SELECT id FROM accounts WHERE kind = 'clearing')
        WHERE o.state = 'completed' GROUP BY o.id, o.amount HAVING max(p.amount) IS DISTINCT FROM o.amount""",
    "payout entry has its payout, completed or returned": """
        SELECT e.id::text, CASE WHEN r.id IS NULL THEN 'completed' ELSE 'failed' END, coalesce(o.state, 'none')
        FROM entries e LEFT JOIN payouts o ON o.id = e.ref_id
        LEFT JOIN entries r ON r.ref_id = e.ref_id AND r.kind = 'payout_return'
        WHERE e.kind = 'payout' AND o.state IS DISTINCT FROM CASE WHEN r.id IS NULL THEN 'completed' ELSE 'failed' END""",
    "returned payout has its payout entry": """
        SELECT e.id::text, 'a payout entry', 'none' FROM entries e WHERE e.kind = 'payout_return'
        AND NOT EXISTS (SELECT FROM entries r WHERE r.ref_id = e.ref_id AND r.kind = 'payout')""",
    "open withdrawal holds its amount": """
        SELECT w.id::text, CASE WHEN w.status IN ('pending', 'processing') THEN w.amount::text ELSE 'no open hold' END,
          coalesce(h.amount || ' ' || h.state, 'no hold')
        FROM withdrawals w LEFT JOIN holds h ON h.ref_id = w.id
        WHERE (w.status IN ('pending', 'processing')) <> (h.state IS NOT DISTINCT FROM 'open')
          OR h.amount IS DISTINCT FROM w.amount""",
    "withdrawal stands as its payout does": """
        SELECT w.id::text, w.status, coalesce(o.state, 'no payout') FROM withdrawals w
        LEFT JOIN payouts o ON o.withdrawal_id = w.id
        WHERE w.status <> CASE
          WHEN o.id IS NULL THEN CASE WHEN w.status IN ('pending', 'canceled') THEN w.status ELSE '' END
          WHEN o.state IN ('completed', 'failed') THEN o.state ELSE 'processing' END""",
    "payment adds its refunds up": """
        SELECT p.id::text, p.refund_reserved || '/' || p.refunded,
          coalesce(sum(f.amount) FILTER (WHERE f.state <> 'failed'), 0) || '/'
          || coalesce(sum(f.amount) FILTER (WHERE f.state = 'completed'), 0)
        FROM payments p LEFT JOIN refunds f ON f.payment_id = p.id AND NOT f.is_from_suspense
        GROUP BY p.id HAVING p.refund_reserved <> coalesce(sum(f.amount) FILTER (WHERE f.state <> 'failed'), 0)
          OR p.refunded <> coalesce(sum(f.amount) FILTER (WHERE f.state = 'completed'), 0)""",
    "clearing equals what a provider collected, refunded, lost in disputes and paid out": """
        WITH moved AS (
          SELECT 'clearing:' || a.provider || coalesce('.' || left(replace(a.account_id::text, '-', ''), 12), '') || ':' || e.currency AS name, -a.collected AS amount
          FROM payment_attempts a JOIN entries e ON e.ref_id = a.id AND e.kind IN ('payment', 'suspense')
          UNION ALL SELECT 'clearing:' || a.provider || coalesce('.' || left(replace(a.account_id::text, '-', ''), 12), '') || ':' || f.currency, f.amount
          FROM refunds f JOIN payment_attempts a ON a.id = f.attempt_id WHERE f.state = 'completed'
          UNION ALL SELECT 'clearing:' || a.provider || coalesce('.' || left(replace(a.account_id::text, '-', ''), 12), '') || ':' || e.currency,
            a.collected - coalesce((SELECT sum(f.amount) FROM refunds f WHERE f.attempt_id = a.id AND f.state = 'completed'), 0)
          FROM payment_attempts a JOIN entries e ON e.ref_id = a.id AND e.kind = 'reversal'
          UNION ALL SELECT 'clearing:' || d.provider || coalesce('.' || left(replace(d.account_id::text, '-', ''), 12), '') || ':' || d.currency, d.amount
          FROM disputes d WHERE d.state = 'lost'
          UNION ALL SELECT 'clearing:' || o.provider || ':' || o.currency, o.amount FROM payouts o WHERE o.state = 'completed')
        SELECT b.public_id, coalesce(sum(m.amount), 0)::text, b.balance::text FROM account_balances b
        LEFT JOIN moved m ON m.name = b.public_id WHERE b.kind = 'clearing'
        GROUP BY b.public_id, b.balance HAVING coalesce(sum(m.amount), 0) <> b.balance""",
}


def check(session: Session, *, limit_s: float | None = None) -> list[Finding]:
    """Every rule over the whole ledger; an empty list is a proof for the moment each rule ran.

    Without the application's time limits: a large ledger takes as long as it takes. With limit_s, in seconds for all of
    it, the database cancels the rule that is running then.
    """
    findings = []
    until = None if limit_s is None else time.monotonic() + limit_s
    session.execute(text("SET LOCAL transaction_timeout = 0"))
    for rule, query in RULES.items():
        left_ms = 0 if until is None else max(1, round((until - time.monotonic()) * 1000))
        session.execute(text(f"SET LOCAL statement_timeout = {left_ms:d}"))
        rows = session.execute(text(f"{query} LIMIT {SHOWN}"))
        findings += [Finding(rule, subject, expected, found) for subject, expected, found in rows]
    return findings
