"""Reference data in the process's memory, all of one version: API keys, provider accounts, fees, ids of ledger accounts.

Guarantees: nothing that was decided by old data is written, since `write_set_apply` compares the version in its own
statement; whoever only reads asks for the `latest`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from flask import current_app
from sqlalchemy import select

from app import ledger
from app.ledger import chart
from app.ledger.chart import ChartAccount
from app.models.account import AccountId
from app.models.fee_rule import FeeRule
from app.models.reference_data import ReferenceVersion
from app.models.tenant import ProviderAccount, Tenant
from app.money import Money
from app.services.tenants import fees
from app.unit_of_work import reading, transaction

K = TypeVar("K")
V = TypeVar("V")

MAX_REMEMBERED: Final = 10_000
"""Tenants, provider accounts and ledger accounts that a version remembers, each; beyond it they are read again."""


class GoodCredential(NamedTuple):
    """A key that is good, or a tenant that needs none. expires_at: the key's; None: no end is set. reset_at: the tenant's."""

    expires_at: datetime | None
    reset_at: datetime | None


class ReferenceData:
    """What is known of one version. Parts are read when they are first needed. Safe to share between threads."""

    def __init__(self) -> None:
        # The version first: data that is newer than its version only makes the comparison fail once more.
        self.version = _version()
        self._rules: dict[str, Sequence[FeeRule]] = {}
        self._tenants: dict[uuid.UUID, Tenant] = {}
        self._accounts: dict[uuid.UUID, ProviderAccount] = {}
        self._accounts_in_use: dict[uuid.UUID, dict[str, ProviderAccount]] = {}
        self._ledger_accounts: dict[str, AccountId] = {}
        self.good_credentials: dict[tuple[uuid.UUID, uuid.UUID | None], GoodCredential] = {}
        """By (tenant's id, key's id or None). Filled by tenants/api_keys.py."""

    def payment_fee(self, tenant_id: uuid.UUID, provider: str, amount: Money) -> int:
        """The tenant's fee for a collected payment, minor units of its currency."""
        rules = self._rules_of("payment")
        return fees.payment_fee(rules, tenant=self._tenant(tenant_id), provider=provider, amount=amount)

    def withdrawal_fee(self, tenant_id: uuid.UUID, method: str, amount: Money) -> int:
        """The tenant's fee for a withdrawal by this method, minor units of its currency; it may be more than the amount."""
        rules = self._rules_of("withdrawal")
        return fees.withdrawal_fee(rules, tenant=self._tenant(tenant_id), method=method, amount=amount)

    def accounts_in_use(self, tenant_id: uuid.UUID) -> dict[str, ProviderAccount]:
        """The tenant's own accounts that new payments go through, by provider."""
        found = self._accounts_in_use.get(tenant_id)
        if found is None:
            wanted = select(ProviderAccount).where(
                ProviderAccount.tenant_id == tenant_id, ProviderAccount.is_active
            )
            with reading() as session:
                found = {account.provider: account for account in session.scalars(wanted)}
            _remember(self._accounts_in_use, tenant_id, found)
        return found

    def provider_account(self, account_id: uuid.UUID) -> ProviderAccount | None:
        """A tenant's own account, in use or not. What it is configured with never changes."""
        found = self._accounts.get(account_id)
        if found is None:
            with reading() as session:
                found = session.get(ProviderAccount, account_id)
            if found is not None:
                _remember(self._accounts, account_id, found)
        return found

    def ledger_account(self, account: ChartAccount) -> AccountId:
        """The account's id. It is opened where it is new, in a transaction of its own, so that only what is committed is
        remembered."""
        found = self._ledger_accounts.get(account.public_id)
        if found is None:
            found = transaction(lambda session: chart.account_id(session, account))
            _remember(self._ledger_accounts, account.public_id, found)
        return found

    def spendable(self, account: ChartAccount) -> int:
        """How many minor units the account can spend now; 0 when it is frozen. Not remembered."""
        account_id = self.ledger_account(account)
        with reading() as session:
            return ledger.spendable(session, account_id)

    def _rules_of(self, operation: str) -> Sequence[FeeRule]:
        found = self._rules.get(operation)
        if found is None:
            with reading() as session:
                found = session.scalars(select(FeeRule).where(FeeRule.operation == operation)).all()
            self._rules[operation] = found
        return found

    def _tenant(self, tenant_id: uuid.UUID) -> Tenant:
        found = self._tenants.get(tenant_id)
        if found is None:
            with reading() as session:
                found = session.get_one(Tenant, tenant_id)
            _remember(self._tenants, tenant_id, found)
        return found


def current() -> ReferenceData:
    """What this process remembers. Only for decisions that are written by `write_set_apply`, which compares its version."""
    known: ReferenceData | None = current_app.extensions.get("reference_data")
    return known or renew()


def latest() -> ReferenceData:
    """As `current`, of the database's version now."""
    known = current()
    return known if known.version == _version() else renew()


def renew() -> ReferenceData:
    """Forget what is remembered, and begin at the database's version now."""
    known = current_app.extensions["reference_data"] = ReferenceData()
    return known


def _version() -> int:
    with reading() as session:
        return session.scalars(select(ReferenceVersion.version)).one()


def _remember(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[key] = value
