"""One measurement: a load, how the relay keeps up with it, and which processes use the processor."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import client
from bench.client import Request
from bench.cpu import Meter
from bench.stack import Stack
from launcher.children import wait_until
from launcher.embedded import SUPERUSER

DRAIN_TIMEOUT_S = 900.0
MAX_SHOWN = 3


@dataclass(frozen=True)
class Figure:
    """One load, measured once. Seconds throughout; `cpu_s` by part of the stack, for one payment."""

    payments_per_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    retried: int
    """409 answers because a lock was not available in time; the same request was sent again."""
    published_p50_s: float
    published_p95_s: float
    backlog: int
    """Payments not yet published when the last answer came."""
    drained_s: float
    """From that moment until everything was published, completed and folded."""
    kept_up_per_s: float
    """Payments a second up to that later moment: the sustainable rate."""
    cpu_s: dict[str, float]


class LoadRefused(Exception):
    """The gateway answered with something other than 201, so the figure is meaningless."""


class Bench:
    """Measures loads on a stack, and counts the payments it accepted. `old`: payments inserted by fill()."""

    def __init__(self, stack: Stack, *, clients: int, seconds: float, warm_up_s: float) -> None:
        self.stack = stack
        self.clients, self.seconds, self.warm_up_s = clients, seconds, warm_up_s
        self.accepted = 0
        self.old = 0

    def measure(
        self, requests: list[Request], *, payments_each: int = 1, seconds: float | None = None
    ) -> Figure:
        """Run the load, and wait until the relay has published all of it. Raises LoadRefused."""
        meter = Meter(self.stack.parts)
        began = datetime.now(UTC)
        started = time.perf_counter()
        load = client.run(
            self.stack.port,
            requests,
            clients=self.clients,
            warm_up_s=self.warm_up_s,
            seconds=seconds or self.seconds,
            at_window=meter.read,
        )
        ended = time.perf_counter()
        self.stack.check_running()
        if load.unexpected:
            shown = "\n".join(load.unexpected[:MAX_SHOWN])
            raise LoadRefused(f"{len(load.unexpected)} answers were not 201. The first:\n{shown}")
        backlog = self._one("SELECT count(*) FROM outbox")
        wait_until(self._is_drained, "The relay did not publish everything.", timeout_s=DRAIN_TIMEOUT_S)
        drained = time.perf_counter()
        self.accepted += load.answered * payments_each
        median, high = self._one(_PUBLISHED_AFTER, began)
        paid = load.count * payments_each
        return Figure(
            payments_per_s=paid / load.seconds,
            p50_s=load.percentile(50),
            p95_s=load.percentile(95),
            p99_s=load.percentile(99),
            retried=load.retried,
            published_p50_s=median,
            published_p95_s=high,
            backlog=backlog,
            drained_s=drained - ended,
            kept_up_per_s=load.answered * payments_each / (drained - started),
            cpu_s={part: used / max(1, paid) for part, used in meter.between().items()},
        )

    def fill(self, total: int) -> float:
        """Insert old payments into the tables until there are about `total`; how long that took, in seconds."""
        began = time.perf_counter()
        statement = Path(__file__).with_name("fill.sql").read_text()
        with closing(self.stack.connect()) as connection, connection.cursor() as cursor:
            while (missing := total - self._one("SELECT count(*) FROM wallet_payments")) > total // 100:
                cursor.execute("SELECT coalesce(max(seq), 0) FROM events")
                (seq,) = cursor.fetchone()
                cursor.execute(
                    statement, {"count": min(missing, 100_000), "seq": seq, "now": datetime.now(UTC)}
                )
                self.old += cursor.rowcount
        with closing(self.stack.connect(SUPERUSER)) as connection, connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
        return time.perf_counter() - began

    def disagreements(self) -> list[str]:
        """Where the tables differ from what clients were answered. Empty: every 201 is one payment and two events."""
        payments = self._one("SELECT count(*) FROM wallet_payments") - self.old
        pending = self._one("SELECT count(*) FROM wallet_payments WHERE status <> 'completed'")
        events = self._one("SELECT count(*) FROM events WHERE type LIKE 'wallet_payment.%%'") - 2 * self.old
        found = {
            f"{self.accepted} payments were accepted, {payments} are there": payments != self.accepted,
            f"{pending} payments are not completed": pending != 0,
            f"{events} events for {payments} payments": events != 2 * payments,
        }
        return [sentence for sentence, is_wrong in found.items() if is_wrong]

    def count(self) -> int:
        """Payments in the tables."""
        return int(self._one("SELECT count(*) FROM wallet_payments"))

    def _is_drained(self) -> bool:
        self.stack.check_running()
        return bool(self._one("SELECT NOT EXISTS (SELECT FROM outbox) AND NOT EXISTS (SELECT FROM unfolded)"))

    def _one(self, query: str, *arguments: object) -> Any:
        with closing(self.stack.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query, arguments)
            row = cursor.fetchone()
            return row[0] if len(row) == 1 else row


_PUBLISHED_AFTER = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY after), percentile_cont(0.95) WITHIN GROUP (ORDER BY after)
FROM (SELECT extract(epoch FROM completed_at - created_at)::float8 AS after FROM wallet_payments WHERE created_at >= %s) p
"""
