"""A database that is read-only or whose disk is full: writes answer 503, nothing ends, and all goes on by itself afterwards.

The application, the relay and the jobs run in this process, on a database of their own.
"""

from __future__ import annotations

import errno
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app import clock, create_app, queue
from app.errors import ServiceUnavailable
from app.events.push_loop import PushLoop
from app.events.push_messages import PushMessage
from app.events.relay import Relay
from app.providers.cpay import CPayProvider
from app.services.identity import scopes
from app.services.operator import health
from app.services.provider_operations import answer_time
from app.services.reactions import REACTIONS
from app.unit_of_work import forget_connections, reading, transaction
from app.worker.runner import run_job
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.integration.gateway.conftest import CPay, MerchantClient, make_merchant, request_body
from tests.support import kyc, servers
from tests.support.database import connection, one, run
from tests.support.event_log import NoPushes
from tests.support.factories import make_user, make_wallet

FULL_DISK = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{state}'; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse()
"""


class Installation:
    """An application on a database of its own, with a merchant, a payer and an operator."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.app = create_app(settings)
        self.client: FlaskClient = self.app.test_client()
        self.merchant: MerchantClient = make_merchant(self.app, self.client)
        self.payer, self.operator = make_user(self.app), make_user(self.app)
        self.wallet = make_wallet(self.app, self.payer, balance="100")
        self.target = make_wallet(self.app, make_user(self.app))
        with self.app.app_context():
            scopes.set_scope(self.operator.email, "admin", is_granted=True)
        self.paid = self.merchant.paid()
        self.waiting = self.merchant.waiting()
        self.relay = Relay(self.app.config, pushes=NoPushes(), hand_over=lambda _: None, reactions=REACTIONS)

    def as_owner(self, statement: str) -> None:
        with connection(self.settings, as_owner=True) as opened:
            run(opened, "SET default_transaction_read_only = off")
            run(opened, statement)

    def count(self, table: str) -> int:
        with connection(self.settings) as opened:
            found: int = one(opened, f"SELECT count(*) FROM {table}")
        return found

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.app.app_context(), reading() as session:
            return list(session.execute(text(statement), values))

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As new connections find it; those of the pools are gone, as after a failover."""
        with connection(self.settings) as opened:
            database = one(opened, "SELECT current_database()")
        self.as_owner(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        with self.app.app_context():
            forget_connections()
        try:
            yield
        finally:
            self.as_owner(f"ALTER DATABASE {database} RESET default_transaction_read_only")

    @contextmanager
    def refusing(self, table: str, state: str = "53100") -> Iterator[None]:
        self.as_owner(FULL_DISK.format(table=table, state=state))
        try:
            yield
        finally:
            self.as_owner("DROP FUNCTION refuse CASCADE")

    def readiness(self) -> str:
        """What is wrong with the database."""
        with self.app.app_context():
            return {check.name: check.problem for check in health.readiness(self.app.config)}["database"]


@pytest.fixture(scope="module")
def own(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    postgres, database = servers.postgres(), servers.new_database()
    made = Installation(
        servers.environment(
            postgres.url(APPLICATION, database),
            postgres.url(OWNER, database),
            redis_server.url(),
            var_dir=tmp_path_factory.mktemp("var"),
        )
    )
    yield made
    made.relay.close()
    with made.app.app_context():
        forget_connections()


def writes(own: Installation) -> dict[str, Callable[[], Any]]:
    """A write of every kind of route."""
    post, user, merchant = own.client.post, own.payer.headers, own.merchant.headers
    keyed = merchant | {"Idempotency-Key": "refused"}
    payment = {"amount": 1, "source_wallet_id": own.wallet, "destination": own.target}
    someone = {"email": "new@example.com", "password": "SecurePass123!", "first_name": "A", "last_name": "B"}

    def callback() -> Any:
        cpay = CPay(own.client, own.app.config["CPAY_API_SECRET"], own.rows)
        return cpay.send(cpay.callback_body(own.waiting))

    return {
        "register": lambda: post("/api/v1/auth/register", json=someone),
        "wallet": lambda: post("/api/v1/accounts/wallets", json={"currency": "EUR"}, headers=user),
        "pay": lambda: post("/api/v1/payments", json=payment, headers=user | {"Idempotency-Key": "p"}),
        "batch": lambda: post(
            "/api/v1/payments/batch",
            json={"source_wallet_id": own.wallet, "payments": [{"amount": 1, "destination": own.target}]},
            headers=user,
        ),
        "deposit": lambda: post(
            f"/api/v1/accounts/{own.wallet}/deposit", json={"amount": 1, "source": "card"}, headers=user
        ),
        "initialize": lambda: post("/api/v1/payments/initialize", json=request_body(), headers=keyed),
        "refund": lambda: post(f"/api/v1/payments/{own.paid['id']}/refund", json={}, headers=keyed),
        "cancel": lambda: post(f"/api/v1/payments/{own.waiting['id']}/cancel", headers=merchant),
        "callback": callback,
    }


def assert_refused(answer: Any, name: str) -> None:
    assert answer.status_code == 503, (name, answer.data)
    assert int(answer.headers["Retry-After"]) >= 1
    body = answer.json
    assert body.get("success") is False or body["error"]["code"] == "SERVICE_UNAVAILABLE", (name, body)


def test_a_read_only_database(own: Installation) -> None:
    before = own.count("payments"), own.count("outbox"), own.count("events")
    with own.read_only():
        for name, write in writes(own).items():
            assert_refused(write(), name)
        assert own.client.get("/api/v1/accounts", headers=own.payer.headers).status_code == 200
        assert own.merchant.get(f"/{own.paid['id']}").status_code == 200
        assert own.readiness() == "The database is read-only."
        assert own.client.get("/health/ready").status_code == 503
    # The application's pools were filled while it was read-only.
    assert (own.count("payments"), own.count("outbox"), own.count("events")) == before
    for name, write in writes(own).items():
        answer = write()
        assert answer.status_code in (200, 201), (name, answer.data)
    assert own.readiness() == ""


@pytest.mark.parametrize("state", ["53100", "53200", "58030", "57014", "25P04"])
def test_a_full_disk_and_its_like(own: Installation, state: str) -> None:
    headers = own.merchant.headers | {"Idempotency-Key": f"disk-{state}"}

    def initialize() -> Any:
        return own.client.post("/api/v1/payments/initialize", json=request_body(), headers=headers)

    with own.refusing("outbox", state):
        assert_refused(initialize(), state)
        takes_no_writes = state.startswith("5") and state != "57014"
        assert own.readiness() == (
            f"The database takes no writes (SQLSTATE {state})." if takes_no_writes else ""
        )
    answer = initialize()
    assert answer.status_code == 201 and answer.json["data"]["status"] == "completed"
    assert own.readiness() == ""


def test_a_database_without_a_free_connection(own: Installation) -> None:
    with connection(own.settings, as_owner=True) as opened, own.app.app_context():
        database = one(opened, "SELECT current_database()")
        run(opened, f"ALTER DATABASE {database} CONNECTION LIMIT 0")
        forget_connections()
        assert_refused(own.client.get("/api/v1/accounts", headers=own.payer.headers), "read")
        assert_refused(writes(own)["deposit"](), "write")
        assert own.readiness() == "The database does not answer."
        run(opened, f"ALTER DATABASE {database} CONNECTION LIMIT -1")
    assert writes(own)["deposit"]().status_code == 200


def test_a_disk_that_fills_up_after_the_provider_has_collected(
    own: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer cannot be stored. The follow-up asks the provider again, and the money is posted once. CPay stands for a provider
    elsewhere that answers at once."""
    monkeypatch.setattr(CPayProvider, "is_in_process", False)
    headers = own.merchant.headers | {"Idempotency-Key": "collected"}
    path = "/api/v1/payments/initialize"
    with own.refusing("entries"):
        assert_refused(own.client.post(path, json=request_body(), headers=headers), "initialize")
    (row,) = own.rows("SELECT id FROM payments WHERE idempotency_key = 'collected'")
    (job,) = own.rows(
        "SELECT id FROM jobs WHERE kind = 'payment.follow_up' "
        "AND ref IN (SELECT id::text FROM payment_attempts WHERE payment_id = :id)",
        id=row.id,
    )
    with own.app.app_context():
        clock.travel(answer_time())
        run_job(job.id)
    assert own.merchant.get(f"/{row.id}").json["data"]["status"] == "completed"
    posted = own.rows(
        "SELECT kind FROM entries WHERE ref_id IN (SELECT id FROM payment_attempts WHERE payment_id = :id)",
        id=row.id,
    )
    assert len(posted) == 1


class _Rounds(threading.Event):
    """Set after so many waits; `at_first` is called at the first of them."""

    def __init__(self, rounds: int, at_first: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._left, self._at_first = rounds, at_first

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        at_first, self._at_first = self._at_first, lambda: None
        at_first()
        if self._left <= 0:
            self.set()
        return self.is_set()


@pytest.mark.parametrize("refusal", ["read-only", "full disk"])
def test_the_relay_goes_on(own: Installation, refusal: str) -> None:
    own.relay.close()
    assert writes(own)["deposit"]().status_code == 200
    refused = own.read_only() if refusal == "read-only" else own.refusing("events")
    refused.__enter__()
    own.relay.run(_Rounds(3, at_first=lambda: refused.__exit__(None, None, None)))
    assert own.count("outbox") == 0


class _Channel:
    def push(self, messages: Sequence[PushMessage]) -> None:
        """They arrive."""


def test_the_pushes_go_on(own: Installation) -> None:
    loop = PushLoop(own.app.config, pusher=_Channel())
    refused = own.read_only()

    class Orders:
        is_over, is_active, waits = False, True, 0

        def wait(self, timeout_s: float | None) -> None:
            self.waits += 1
            if self.waits == 1:
                refused.__exit__(None, None, None)
            self.is_over = self.waits == 2

    assert writes(own)["deposit"]().status_code == 200
    own.relay.run(_Rounds(2))
    refused.__enter__()
    loop.run(Orders())
    with connection(own.settings) as opened:
        assert one(opened, "SELECT pushed_through = (SELECT max(seq) FROM events) FROM relay_state")


def test_a_job_waits(own: Installation) -> None:
    with own.app.app_context():
        now = clock.now()
        transaction(lambda s: queue.enqueue(s, "retention.sweep", ref=uuid.uuid4().hex, run_at=now, now=now))
        with connection(own.settings) as opened:
            job_id = one(opened, "SELECT id FROM jobs WHERE kind = 'retention.sweep' AND state = 'due'")
        with own.read_only(), pytest.raises(ServiceUnavailable):
            run_job(uuid.UUID(str(job_id)))
        run_job(uuid.UUID(str(job_id)))
    with connection(own.settings) as opened:
        assert one(opened, "SELECT run_at > %s FROM jobs WHERE id = %s", now, str(job_id))


def test_a_full_disk_for_documents_and_anchors(own: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert kyc.submit(own.client, own.payer).status_code == 201
    with monkeypatch.context() as disk:
        disk.setattr("app.services.kyc.files.write", full)
        disk.setattr("app.events.chain.write_anchor", full)
        assert_refused(kyc.upload(own.client, own.payer), "document")
        own.relay.close()
        own.relay.run(_Rounds(2))
    assert own.count("outbox") == 0
    assert kyc.upload(own.client, own.payer).status_code == 201
