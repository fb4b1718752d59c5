"""Sends what is due, on threads of its own beside a worker's jobs, so that neither waits for the other.

Guarantees: a delivery is sent at least once, with the same id and the same bytes each time; a slow endpoint has AT_ONCE threads at most, and
all that fail together leave a quarter of them to the others.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
from app.services.webhooks.deliveries import Claimed

THREADS: Final = 32

PAUSE_S: Final = 0.25
"""Between two looks at what is due, while nothing is under way that could make more of it."""

FAULT_PAUSE_S: Final = 2.0
"""After a look that failed: the database is away."""

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
        count, running = 0, set[Future[None]]()
        while claimed := self._claim_when(running):
            count += len(claimed)
            running |= {self._submit(one) for one in claimed}
        wait(running)
        return count

    def _claim_when(self, running: set[Future[None]]) -> list[Claimed]:
        """What is due now, or becomes due by what is under way."""
        while True:
            self._ended.clear()
            if claimed := self._claim():
                return claimed
            if all(one.done() for one in running):
                return self._claim()
            self._ended.wait()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._ended.clear()
            try:
                claimed = self._claim()
            except GatewayError as error:
                log.warning("webhooks.database_away", code=error.code)
                self._stop.wait(FAULT_PAUSE_S)
                continue
            except Exception:
                # A fault here must not end the only thread that sends.
                log.exception("webhooks.not_claimed")
                self._stop.wait(FAULT_PAUSE_S)
                continue
            for one in claimed:
                self._submit(one)
            if not claimed:
                self._ended.wait(PAUSE_S)

    def _claim(self) -> list[Claimed]:
        with self._app.app_context():
            database_clock.follow()
            with self._lock:
                free = self._free
            claimed = self._claimed(free)
        with self._lock:
            self._free -= len(claimed)
        return claimed

    def _claimed(self, free: int) -> list[Claimed]:
        if free > self._reserved:
            return list(deliveries.claim(free - self._reserved))
        return list(deliveries.claim(free, with_failing=False)) if free else []

    def _submit(self, claimed: Claimed) -> Future[None]:
        return self._threads.submit(self._send, claimed)

    def _send(self, claimed: Claimed) -> None:
        try:
            with self._app.app_context():
                began = clock.now()
                deliveries.finish(claimed, send(claimed), began=began)
        except Exception:
            # The lease ends, and it is sent again.
            log.exception("webhook.not_finished", delivery=str(claimed.id))
        finally:
            with self._lock:
                self._free += 1
            self._ended.set()


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
