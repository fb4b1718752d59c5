"""Callbacks over real HTTP, in the background. What is to be delivered is in the database, so a restart goes on."""

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

_TIMER: Final = "courier"
_SHOWN: Final = 2000
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True)
class Parcel:
    """One callback. expects: JSON members the answer must have beside HTTP 200. retries: seconds before each."""

    provider: str
    url: str
    method: str
    headers: Mapping[str, str]
    body: bytes
    expects: Mapping[str, Any]
    retries: Sequence[float]


class Courier:
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
    ) -> None:
        """Deliver in the background; without HTTP 200 (and what it `expects`) again after each of `retries` seconds."""
        parcel = Parcel(provider, url, method, headers, body, expects, retries)
        plan = with_callback_faults(plan, self._faults.plan(provider, "callback"))
        for id in self._accept(parcel, plan):
            self._timers.set(_TIMER, str(id), after_s + (plan.callback_delay_s or 0))

    def send_now(
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
    ) -> None:
        """Deliver in this thread, before the caller goes on. `after_s` is for the retries' sake the same signature."""
        parcel = Parcel(provider, url, method, headers, body, expects, retries)
        plan = with_callback_faults(plan, self._faults.plan(provider, "callback"))
        for id in self._accept(parcel, plan):
            self._deliver(id)

    def listed(self, provider: str | None = None, *, limit: int = 1000) -> list[dict[str, Any]]:
        """The newest deliveries, oldest of them first."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT * FROM deliveries WHERE ? IS NULL OR provider = ? ORDER BY id DESC LIMIT ?",
                (provider, provider, limit),
            ).fetchall()
        return [_shown(row) for row in reversed(rows)]

    def repeat(self, id: int) -> bool:
        """Send a delivery once more, whatever became of it. False when there is none of this id."""
        with self._database.transaction() as connection:
            found = connection.execute(
                "UPDATE deliveries SET status = 'waiting' WHERE id = ?", (id,)
            ).rowcount
        if found:
            self._timers.set(_TIMER, str(id), 0)
        return bool(found)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def _accept(self, parcel: Parcel, plan: Plan) -> list[int]:
        """Write the deliveries down; the ids of those that are to be made. A lost one is written down as lost."""
        row = (
            parcel.provider, parcel.method, parcel.url, json.dumps(dict(parcel.headers)), parcel.body,
            json.dumps(dict(parcel.expects)), json.dumps(list(parcel.retries)),
            "waiting" if plan.callback_copies else "lost", clock.iso_z(self._now()),
        )  # fmt: skip
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
        status, answer = self._attempt(row)
        is_done = status == 200 and _has(answer, json.loads(row["expects"]))
        waits: list[float] = json.loads(row["retries"])
        attempts = row["attempts"] + 1
        again_s = None if is_done or attempts > len(waits) else waits[attempts - 1]
        outcome = "delivered" if is_done else "waiting" if again_s is not None else "failed"
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET attempts = ?, status = ?, answer_status = ?, answer = ? WHERE id = ?",
                (attempts, outcome, status, answer[:_SHOWN], id),
            )
        if again_s is not None:
            self._timers.set(_TIMER, str(id), again_s)

    def _attempt(self, row: sqlite3.Row) -> tuple[int | None, str]:
        try:
            answer = self._session.request(
                row["method"], row["url"], data=row["body"] or None, headers=json.loads(row["headers"]),
                timeout=TIMEOUT_S, allow_redirects=False,
            )  # fmt: skip
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


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "provider", "method", "url", "status", "attempts")}
    shown |= {"answer_status": row["answer_status"], "answer": row["answer"], "at": row["at"]}
    return shown | {
        "headers": json.loads(row["headers"]),
        "body": row["body"].decode("utf-8", "replace"),
    }
