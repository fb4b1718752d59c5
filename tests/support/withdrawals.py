"""A tenant that withdraws, on a gateway in the test's own process: who requests, who approves, what the provider paid."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

from app import clock
from app.models.member import Role
from app.models.withdrawal import WithdrawalState
from app.services.identity import tokens
from app.services.provider_access import bulkhead
from tests.support.database import connection, run
from tests.support.gateway import Gateway
from tests.support.simultaneous_requests import Answer, Call, send_simultaneously
from tests.support.tenants import (
    MemberClient,
    MerchantClient,
    fund_merchant,
    make_member,
    make_merchant,
    tenant_headers,
)

DETAILS: dict[str, dict[str, str]] = {
    "mpesa": {"phone_number": "254712345678"},
    "till": {"till_number": "123456"},
    "bank_transfer": {"account_number": "1234567890", "bank_code": "063", "account_name": "Business Account"},
}
"""Method → a destination, as document 002 has them."""

PROVIDERS = {"mpesa": "mpesa", "till": "mpesa", "bank_transfer": "paystack"}
FEES = {"mpesa": 33, "till": 27, "bank_transfer": 50}

FINAL = (WithdrawalState.COMPLETED, WithdrawalState.FAILED, WithdrawalState.CANCELED)

_STATUS_AND_NEXT_JOB = """
SELECT status, (SELECT min(run_at) FROM jobs WHERE state = 'due') FROM withdrawals WHERE id = :id
"""


@dataclass
class WithdrawingTenant:
    """finance may initiate, manager may approve, owner may do both."""

    gateway: Gateway
    merchant: MerchantClient
    owner: MemberClient
    finance: MemberClient
    manager: MemberClient

    # --- what its members do

    def call(
        self,
        method: str,
        path: str,
        member: MemberClient,
        json: Any = None,
        *,
        key: str | None = None,
        prefix: str = "/api/v1",
    ) -> requests.Response:
        headers = self._headers(member) | ({"Idempotency-Key": key} if key else {})
        url = self.gateway.url.removesuffix("/api/v1") + prefix + path
        return self.gateway.http.request(method, url, json=json, headers=headers, timeout=60)

    def _headers(self, member: MemberClient) -> dict[str, str]:
        """With a token that is valid now, wherever the clock has been moved."""
        with self.gateway.app.app_context():
            user = member.user
            pair = tokens.issue(user.user_id, session_id=user.session_id, refresh_id=user.session_id)
        return member.headers | {"Authorization": f"Bearer {pair.access_token}"}

    def initiate(
        self, amount: object = 1000, method: str = "mpesa", *, key: str | None = None, **more: Any
    ) -> requests.Response:
        body = {"amount": amount, "method_type": method, "method_details": DETAILS[method], **more}
        return self.call("POST", "/wallet/withdrawals", self.finance, body, key=key)

    def requested(self, amount: object = 1000, method: str = "mpesa") -> str:
        """A pending withdrawal's id."""
        answer = self.initiate(amount, method)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["transaction_id"])

    def approve(
        self, withdrawal_id: str, member: MemberClient | None = None, *, key: str | None = None
    ) -> requests.Response:
        return self.call(
            "POST", f"/wallet/withdrawals/{withdrawal_id}/approve", member or self.manager, key=key
        )

    def cancel(self, withdrawal_id: str, member: MemberClient | None = None) -> requests.Response:
        body = {"reason": "Changed mind"}
        return self.call("POST", f"/wallet/withdrawals/{withdrawal_id}/cancel", member or self.finance, body)

    def at_once(self, calls: Sequence[tuple[MemberClient, str, dict[str, Any], str | None]]) -> list[Answer]:
        """POST requests whose last bytes are sent together: (member, path with its prefix, body, key)."""
        return send_simultaneously(
            self.gateway.url,
            [
                Call(path, body, member.user.access_token, key, tenant_headers(self.merchant))
                for member, path, body, key in calls
            ],
        )

    def approved(self, amount: object = 1000, method: str = "mpesa") -> str:
        """The id of a withdrawal that was approved, whatever became of the payout."""
        withdrawal_id = self.requested(amount, method)
        answer = self.approve(withdrawal_id)
        assert answer.status_code in (200, 500), answer.text
        return withdrawal_id

    def get(self, withdrawal_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/wallet/withdrawals/{withdrawal_id}", self.manager)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def balance(self) -> tuple[float, float]:
        """(wallet balance, available balance) in KES."""
        found = self.call("GET", "/wallet/withdrawal-options", self.manager).json()
        return found["wallet_balance"], found["available_balance"]

    # --- time and the worker

    def settle(self, withdrawal_id: str, *, hours: float = 1) -> dict[str, Any]:
        """Let time pass and jobs run until the withdrawal is final, or `hours` are over."""
        began = clock.now()
        while True:
            self.gateway.quiet()
            while self.gateway.run_due():
                self.gateway.quiet()
            ((status, next_at),) = self.gateway.rows(_STATUS_AND_NEXT_JOB, id=withdrawal_id)
            is_over = next_at is None or (next_at - began).total_seconds() > hours * 3600
            if status in FINAL or is_over:
                return self.get(withdrawal_id)
            self.gateway.advance(max(0.1, (next_at - clock.now()).total_seconds() + 0.1))

    # --- who else there is

    def write(self, statement: str, *values: object) -> None:
        """As a person who can write the database."""
        url = self.gateway.app.config["OWNER_DATABASE_URI"].replace("postgresql+psycopg2", "postgresql")
        with connection({"DATABASE_OWNER_URL": url, "DATABASE_URL": url}, as_owner=True) as opened:
            run(opened, statement, *values)

    @contextmanager
    def no_slots(self, name: str) -> Iterator[None]:
        """Other threads have taken every slot of this bulkhead."""
        with self.gateway.app.app_context():
            bound, taken = bulkhead.bulkheads(), 0
            while bound.try_acquire(name):
                taken += 1
            try:
                yield
            finally:
                for _ in range(taken):
                    bound.release(name)

    # --- what is true

    def payout(self, withdrawal_id: str) -> Any:
        rows = self.gateway.rows("SELECT * FROM payouts WHERE withdrawal_id = :id", id=withdrawal_id)
        return rows[0] if rows else None

    def paid(self, withdrawal_id: str) -> list[Decimal]:
        """Each payout that the provider's own book has for the withdrawal, in major units."""
        payout = self.payout(withdrawal_id)
        if payout is None:
            return []
        found = self.gateway.sandbox.book(payout.provider)["entries"]
        amount = Decimal(payout.amount) / 100
        ours = {payout.reference, payout.reference[-12:]}
        return [
            Decimal(entry["amount"])
            for entry in found
            if entry["kind"] == "payout" and entry["reference"] in ours and Decimal(entry["amount"]) == amount
        ]


def withdrawing_tenant(gateway: Gateway, *, balance: int = 10_000) -> WithdrawingTenant:
    """A new tenant of the gateway with `balance` shillings in its wallet."""
    merchant = make_merchant(gateway.app)
    fund_merchant(gateway.app, merchant, balance * 100)
    people = [
        make_member(gateway.app, merchant, role) for role in (Role.OWNER, Role.FINANCE, Role.FINANCE_ADMIN)
    ]
    return WithdrawingTenant(gateway, merchant, *people)


def new_key() -> str:
    return str(uuid.uuid4())
