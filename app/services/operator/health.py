"""Whether this process and the services it needs are ready: each check queries them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import redis
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import clock, database_clock
from app.config.database import MIGRATIONS
from app.errors import ServiceUnavailable
from app.events.relay import LOCK_ID
from app.ledger import install
from app.redis_client import connect
from app.services.demo import detection as demo_detection
from app.services.operator import installation
from app.unit_of_work import forget_connections, reading, refused_write

REDIS_TIMEOUT_S: Final = 0.5
MAX_OUTBOX_AGE_S: Final = 30
"""Events are published within milliseconds; one that waits longer means the relay is stuck."""

READINESS_LIFE_S: Final = 1.0
"""How long checks are answered again, so that calls at will cost no queries."""

IS_READ_ONLY: Final = "The database is read-only."

COUNT_CAP: Final = 100_000
"""Queues are counted no further: a scrape must stay cheap when a queue has grown."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `problem` is empty when it passed, else a sentence without secrets."""

    name: str
    problem: str

    @property
    def is_well(self) -> bool:
        return not self.problem


def readiness(config: Mapping[str, Any]) -> list[Check]:
    """Every check, each by itself: one that fails does not hide the others."""
    in_database: dict[str, Callable[[Session], str]] = {
        "database": _answers,
        "migrations": _is_migrated,
        "ledger": _may_call_functions,
        "relay": _has_relay,
    }
    database_clock.follow()
    if config["IS_PRODUCTION"]:
        in_database["demo"] = _has_no_demo
    elif config["IS_DEMO"]:
        in_database["demo"] = _is_no_production
    checks = [Check(name, _asked(ask)) for name, ask in in_database.items()]
    return [
        *checks,
        Check("clock", database_clock.problem()),
        Check("redis", _redis_answers(config["REDIS_URL"])),
    ]


class RecentReadiness:
    """The checks, at most READINESS_LIFE_S old, or older while another thread makes them anew."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._checks: list[Check] | None = None
        self._made_at = 0.0

    def checks(self) -> list[Check]:
        recent = self._checks
        if recent is not None and time.monotonic() - self._made_at < READINESS_LIFE_S:
            return recent
        # A thread waits only where there is nothing to answer yet.
        if not self._lock.acquire(blocking=recent is None):
            return recent or []
        try:
            if self._checks is recent:
                self._checks, self._made_at = readiness(self._config), time.monotonic()
            return self._checks or []
        finally:
            self._lock.release()


def depths() -> Mapping[str, int]:
    """How much waits where, for /metrics; queues are counted to COUNT_CAP. Raises ServiceUnavailable."""
    with reading() as session:
        row = session.execute(_DEPTHS, {"cap": COUNT_CAP, "now": clock.now()}).mappings().one()
        return {name: int(value or 0) for name, value in row.items()}


def _asked(ask: Callable[[Session], str]) -> str:
    problem = _asked_once(ask)
    if problem == IS_READ_ONLY:
        # A connection stays read-only when the database is not any more: a new one knows.
        forget_connections()
        return _asked_once(ask)
    return problem


def _asked_once(ask: Callable[[Session], str]) -> str:
    try:
        with reading() as session:
            return ask(session)
    except ServiceUnavailable:
        return "The database does not answer."
    except SQLAlchemyError as error:
        return f"The database refused the question ({type(error).__name__})."


def _answers(session: Session) -> str:
    role = session.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar_one()
    return "The application runs as a superuser." if role else _takes_writes(session)


def _takes_writes(session: Session) -> str:
    if session.execute(_READ_ONLY).scalar_one():
        return IS_READ_ONLY
    state = refused_write()
    return f"The database takes no writes (SQLSTATE {state})." if state else ""


def _is_migrated(session: Session) -> str:
    has_table = session.execute(text("SELECT to_regclass('alembic_version')")).scalar_one()
    found = session.execute(text("SELECT version_num FROM alembic_version")).scalar() if has_table else None
    head = _head()
    return "" if found == head else f"The database is at migration {found}, this version needs {head}."


@cache
def _head() -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _may_call_functions(session: Session) -> str:
    allowed = session.execute(_CALLABLE, {"names": list(_function_names())}).scalars().all()
    missing = sorted(set(_function_names()) - set(allowed))
    return f"These functions cannot be called: {', '.join(missing)}." if missing else ""


@cache
def _function_names() -> tuple[str, ...]:
    return tuple(install.sources())


def _has_no_demo(session: Session) -> str:
    """Looked for at the start, too, but a demo that shares the database may load its data at any time."""
    return demo_detection.sentence(demo_detection.found(session))


def _is_no_production(session: Session) -> str:
    """Production may have been started over a database whose demo still runs."""
    is_production = installation.is_production(session)
    return "Production is served from this database: stop this demo." if is_production else ""


def _has_relay(session: Session) -> str:
    is_held = session.execute(_LOCK_HELD, {"high": LOCK_ID >> 32, "low": LOCK_ID & 0xFFFFFFFF}).scalar_one()
    if not is_held:
        return "No relay is running."
    oldest = session.execute(text("SELECT at FROM outbox ORDER BY id LIMIT 1")).scalar()
    age_s = (clock.now() - oldest).total_seconds() if oldest else 0
    return f"The relay has not published for {age_s:.0f} s." if age_s > MAX_OUTBOX_AGE_S else ""


def _redis_answers(url: str) -> str:
    client = connect(url, timeout_s=REDIS_TIMEOUT_S, retries=0)
    try:
        client.ping()
    except redis.RedisError as error:
        return f"Redis does not answer ({type(error).__name__})."
    finally:
        client.close()
    return ""


_READ_ONLY: Final = text(
    "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"
)
_CALLABLE: Final = text(
    "SELECT proname FROM pg_proc WHERE proname = ANY(:names) AND pronamespace = 'public'::regnamespace "
    "AND has_function_privilege(oid, 'EXECUTE')"
)
_LOCK_HELD: Final = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND classid::bigint = :high AND objid::bigint = :low "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
_DEPTHS: Final = text(
    "SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT :cap) o) AS outbox,"
    " (SELECT count(*) FROM (SELECT FROM unfolded LIMIT :cap) u) AS unfolded,"
    " (SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'due' AND run_at <= :now LIMIT :cap) d) AS jobs_due,"
    " (SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'dead' LIMIT :cap) d) AS jobs_dead,"
    " (SELECT count(DISTINCT payment_id) FROM (SELECT payment_id FROM payment_reviews WHERE closed_at IS NULL LIMIT :cap) p) AS payments_waiting,"
    " (SELECT count(DISTINCT withdrawal_id) FROM (SELECT withdrawal_id FROM withdrawal_reviews WHERE closed_at IS NULL LIMIT :cap) w)"
    " AS withdrawals_waiting,"
    " (SELECT count(*) FROM (SELECT FROM webhook_deliveries WHERE state = 'due' AND next_at <= :now LIMIT :cap) d) AS webhooks_due,"
    " (SELECT count(*) FROM (SELECT FROM webhook_deliveries WHERE state = 'dead' LIMIT :cap) d) AS webhooks_dead,"
    " (SELECT greatest(0, extract(epoch FROM :now - min(next_at))) FROM webhook_deliveries WHERE state = 'due')"
    " AS webhooks_waiting_seconds,"
    " (SELECT max(seq) FROM events) AS event_head,"
    " (SELECT pushed_through FROM relay_state) AS pushed_through"
)
