"""Callbacks over real HTTP, sent in the background.

Every delivery is a row of the database, so a restart continues with those that are not made yet.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests

from app import clock, json_numbers
from app.sandbox.database import Database
from app.sandbox.faults import NO_FAULT, Faults, Plan, with_callback_faults
from app.sandbox.timers import Timers

TIMEOUT_S: Final = (5.0, 30.0)
"""Seconds to connect, and to wait for the receiver's answer."""

_TIMER: Final = "callback"
_KEPT_CHARACTERS: Final = 2000
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True)
class Callback:
    """One callback. expects: JSON members the answer must have beside HTTP 200. retries: seconds before each."""

    provider: str
    url: str
    method: str
    headers: Mapping[str, str]
    body: bytes
    expects: Mapping[str, Any]
    retries: Sequence[float]


class CallbackSender:
    """Sends callbacks as a plan says: repeated, late, early or never."""

    def __init__(
        self, database: Database, timers: Timers, faults: Faults, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._timers = timers
        self._faults = faults
        self._now = now
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        timers.register(_TIMER, lambda id: self._deliver(int(id)))

    def send(
        self,
        provider: str,
        url: str,
        *,
        method: str = "POST",
        body: bytes = b"",
        headers: Mapping[str, str] = _NOTHING,
        after_s: float = 0,
        plan: Plan = NO_FAULT,
        retries: Sequence[float] = (),
        expects: Mapping[str, Any] = _NOTHING,
        is_early: bool = False,
    ) -> None:
        """Deliver in the background, or before this returns when it `is_early`.

        Without HTTP 200 (and the members it `expects`) the delivery is repeated after each of `retries` seconds.
        """
        callback = Callback(provider, url, method, headers, body, expects, retries)
        plan = with_callback_faults(plan, self._faults.plan(provider, "callback"))
        for id in self._insert(callback, plan):
            if is_early:
                self._deliver(id)
            else:
                self._timers.set(_TIMER, str(id), after_s + (plan.callback_delay_s or 0))

    def listed(self, provider: str | None = None, *, limit: int = 1000) -> list[dict[str, Any]]:
        """The latest deliveries, oldest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT * FROM deliveries WHERE ? IS NULL OR provider = ? ORDER BY id DESC LIMIT ?",
                (provider, provider, limit),
            ).fetchall()
        return [_details(row) for row in reversed(rows)]

    def repeat(self, id: int) -> bool:
        """Send a delivery once more, whatever its status. False when there is none with this id."""
        with self._database.transaction() as connection:
            found = connection.execute(
                "UPDATE deliveries SET status = 'waiting' WHERE id = ?", (id,)
            ).rowcount
        if found:
            self._timers.set(_TIMER, str(id), 0)
        return bool(found)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _insert(self, callback: Callback, plan: Plan) -> list[int]:
        """Store the deliveries; the ids of those to make. A delivery that a fault loses is stored as lost."""
        row = (
            callback.provider,
            callback.method,
            callback.url,
            json.dumps(dict(callback.headers)),
            callback.body,
            json.dumps(dict(callback.expects)),
            json.dumps(list(callback.retries)),
            "waiting" if plan.callback_copies else "lost",
            clock.iso_z(self._now()),
        )
        with self._database.transaction() as connection:
            ids = [
                connection.execute(
                    "INSERT INTO deliveries (provider, method, url, headers, body, expects, retries, status, at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                ).lastrowid
                for _ in range(max(1, plan.callback_copies))
            ]
        return [id for id in ids if id is not None] if plan.callback_copies else []

    def _deliver(self, id: int) -> None:
        with self._database.transaction() as connection:
            row = connection.execute("SELECT * FROM deliveries WHERE id = ?", (id,)).fetchone()
        if row is None:  # the sandbox was reset meanwhile
            return
        answer_status, answer = self._attempt(row)
        is_done = answer_status == 200 and _has(answer, json.loads(row["expects"]))
        retries: list[float] = json.loads(row["retries"])
        attempts = row["attempts"] + 1
        retry_after_s = None if is_done or attempts > len(retries) else retries[attempts - 1]
        status = "delivered" if is_done else "waiting" if retry_after_s is not None else "failed"
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET attempts = ?, status = ?, answer_status = ?, answer = ? WHERE id = ?",
                (attempts, status, answer_status, answer[:_KEPT_CHARACTERS], id),
            )
        if retry_after_s is not None:
            self._timers.set(_TIMER, str(id), retry_after_s)

    def _attempt(self, row: sqlite3.Row) -> tuple[int | None, str]:
        try:
            answer = self._session.request(
                row["method"],
                row["url"],
                data=row["body"] or None,
                headers=json.loads(row["headers"]),
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return None, type(error).__name__
        return answer.status_code, answer.text


def _has(answer: str, expected: Mapping[str, Any]) -> bool:
    if not expected:
        return True
    try:
        body = json_numbers.loads(answer)
    except ValueError:
        return False
    return isinstance(body, dict) and all(
        str(body.get(name)) == str(value) for name, value in expected.items()
    )


def _details(row: sqlite3.Row) -> dict[str, Any]:
    names = ("id", "provider", "method", "url", "status", "attempts", "answer_status", "answer", "at")
    return {name: row[name] for name in names} | {
        "headers": json.loads(row["headers"]),
        "body": row["body"].decode("utf-8", "replace"),
    }
