"""Sends what is due, on threads of its own beside a worker's jobs, so that neither waits for the other.

Guarantees: a delivery is sent at least once, with the same id and the same bytes each time; a worker that is killed had sent no more than
NOTED_AT_ONCE deliveries of a lane that it had not written down; a slow endpoint has AT_ONCE threads at most, and all that fail together
leave a quarter of them to the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog
from flask import Flask, current_app

from app import clock, database_clock
from app.crypto import CannotOpen
from app.errors import GatewayError
from app.events import webhook_messages
from app.services.webhooks import addresses, connection, deliveries, signing
from app.services.webhooks.addresses import UrlRefused
from app.services.webhooks.connection import Outcome
from app.services.webhooks.deliveries import Attempt, Claimed, Run

THREADS: Final = 32

PAUSE_S: Final = 0.1
"""Between two looks at what is due, while nothing is under way that could make more of it."""

TOGETHER_S: Final = 0.02
"""Between any two looks: what becomes due within it is claimed together, since a claim costs as much as sending several."""

FAULT_PAUSE_S: Final = 2.0
"""After a look that failed: the database is away."""

RUN_S: Final = 5.0
"""After so long nothing more is begun in a lane: the endpoint is looked at again, and other endpoints have their turn."""

NOTED_AT_ONCE: Final = 16
"""Attempts that are written down together, while they succeed."""

NOTED_WITHIN_S: Final = 0.2
"""How long an attempt waits for others to be written down with."""

log = structlog.get_logger("webhooks")


class Sender:
    """One process's. Any number of them may run at the same time."""

    def __init__(self, app: Flask, *, threads: int = THREADS) -> None:
        self._app = app
        self._free = threads
        self._reserved = threads // 4
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="webhook")
        self._loop: threading.Thread | None = None

    def start(self) -> None:
        """Send from now on, until `stop`."""
        self._loop = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._loop.start()

    def stop(self) -> None:
        """What is under way comes to its end; the rest is sent by another worker or the next."""
        self._stop.set()
        self._ended.set()
        if self._loop is not None:
            self._loop.join()
        self._threads.shutdown()

    def send_due(self) -> int:
        """Send until nothing is due; how many attempts were made."""
        running = list[Future[int]]()
        while runs := self._claim_when(running):
            running += [lane for run in runs for lane in self._submit(run)]
        return sum(lane.result() for lane in running)

    def _claim_when(self, running: Sequence[Future[int]]) -> Sequence[Run]:
        """What is due now, or becomes due by what is under way."""
        while True:
            self._ended.clear()
            if runs := self._claim():
                return runs
            if all(one.done() for one in running):
                return self._claim()
            self._ended.wait()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._ended.clear()
            try:
                runs = self._claim()
            except GatewayError as error:
                log.warning("webhooks.database_away", code=error.code)
                self._stop.wait(FAULT_PAUSE_S)
                continue
            except Exception:
                # A fault here must not end the only thread that sends.
                log.exception("webhooks.not_claimed")
                self._stop.wait(FAULT_PAUSE_S)
                continue
            for run in runs:
                self._submit(run)
            if not runs:
                self._ended.wait(PAUSE_S)
            self._stop.wait(TOGETHER_S)

    def _claim(self) -> Sequence[Run]:
        with self._app.app_context():
            database_clock.follow()
            with self._lock:
                free = self._free
            runs = self._claimed(free)
        with self._lock:
            self._free -= sum(len(run.lanes) for run in runs)
        return runs

    def _claimed(self, free: int) -> Sequence[Run]:
        if free > self._reserved:
            return deliveries.claim(free - self._reserved)
        return deliveries.claim(free, with_failing=False)

    def _submit(self, run: Run) -> Sequence[Future[int]]:
        under_way = _UnderWay(run, len(run.lanes))
        return [self._threads.submit(self._send_lane, under_way, lane) for lane in run.lanes]

    def _send_lane(self, under_way: _UnderWay, lane: Sequence[Claimed]) -> int:
        """How many attempts were made."""
        count = 0
        try:
            with self._app.app_context():
                count = _send_in_order(under_way, lane)
                with self._lock:
                    under_way.lanes -= 1
                    is_last = not under_way.lanes
                if is_last:
                    deliveries.release(under_way.run)
        except Exception:
            # The lease is left to its end: what was not written down is sent again then, and not at once, again and again.
            log.exception("webhooks.not_finished", endpoint=str(under_way.run.endpoint.id))
        finally:
            with self._lock:
                self._free += 1
            self._ended.set()
        return count


@dataclass(slots=True)
class _UnderWay:
    """lanes: those that have not ended, or ended by a fault. is_over: nothing more of the run is to be sent."""

    run: Run
    lanes: int
    is_over: bool = False


def _send_in_order(under_way: _UnderWay, lane: Sequence[Claimed]) -> int:
    """Send the lane's deliveries one after another, as long as the run lasts, and write down what became of them."""
    count, began = 0, time.monotonic()
    ended: list[Attempt] = []
    noted_at = began
    for claimed in lane:
        if under_way.is_over or time.monotonic() - began > RUN_S:
            break
        at = clock.now()
        outcome = _sent(claimed)
        count += 1
        ended.append(Attempt(claimed, outcome, at))
        is_late = time.monotonic() - noted_at > NOTED_WITHIN_S
        if not outcome.is_success or is_late or len(ended) == NOTED_AT_ONCE:
            under_way.is_over |= not deliveries.finish(under_way.run, ended)
            ended, noted_at = [], time.monotonic()
    if ended:
        deliveries.finish(under_way.run, ended)
    return count


def _sent(claimed: Claimed) -> Outcome:
    """As `send`. A fault of ours is a failed attempt: the others of the lane are sent, and this one by its schedule."""
    try:
        return send(claimed)
    except Exception:
        log.exception("webhook.not_sent", delivery=str(claimed.id))
        return Outcome(0, error="internal_error")


def send(claimed: Claimed) -> Outcome:
    """One attempt. Never raises for what the other side, or its address, is."""
    is_production, now = current_app.config["IS_PRODUCTION"], clock.now()
    body = webhook_messages.body_of(claimed.event, endpoints=claimed.endpoints, is_production=is_production)
    try:
        destination = addresses.parse(claimed.endpoint.url, is_production=is_production)
        keys = signing.secrets_of(claimed.endpoint, now)
    except UrlRefused:
        return Outcome(0, error="address_refused")
    except CannotOpen:
        log.error("webhook.secret_does_not_open", endpoint=str(claimed.endpoint.id))
        return Outcome(0, error="secret_does_not_open")
    message_id = webhook_messages.id_of(claimed.event)
    return connection.post(destination, signing.headers(message_id, body, keys=keys, now=now), body)
