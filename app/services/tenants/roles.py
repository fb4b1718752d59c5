"""What each role may do, and an API key without a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from app.errors import ScopeMissing
from app.models.member import Role, TenantScope
from app.principal import Principal

_S = TenantScope

_IMPLIED: Final[Mapping[TenantScope, frozenset[TenantScope]]] = MappingProxyType(
    {
        _S.FINANCE_VIEW: frozenset({_S.PAYMENTS_VIEW}),
        _S.CONVERSATIONS_VIEW: frozenset({_S.PAYMENTS_VIEW}),
        _S.ORDERS_MANAGE: frozenset({_S.ORDERS_VIEW}),
        _S.DEVELOPERS_MANAGE: frozenset({_S.DEVELOPERS_VIEW}),
    }
)
"""Who may do the first may do the others, too."""


def _scopes(*granted: TenantScope) -> frozenset[TenantScope]:
    implied = (_IMPLIED.get(scope, frozenset()) for scope in granted)
    return frozenset(granted).union(*implied)


ROLES: Final[Mapping[Role, frozenset[TenantScope]]] = MappingProxyType(
    {
        Role.OWNER: frozenset(TenantScope),
        Role.ADMIN: frozenset(TenantScope) - {_S.FINANCE_WITHDRAW_APPROVE},
        Role.FINANCE_ADMIN: _scopes(
            *(scope for scope in TenantScope if scope.startswith("finance:")), _S.AUDIT_VIEW
        ),
        Role.FINANCE: _scopes(_S.FINANCE_VIEW, _S.FINANCE_WITHDRAW_INITIATE, _S.FINANCE_CLOSE),
        Role.SUPPORT_LEAD: _scopes(_S.CONVERSATIONS_VIEW, _S.CUSTOMERS_CONTACT, _S.ORDERS_COLLECT),
        Role.ANALYST: _scopes(_S.FINANCE_VIEW, _S.DEVELOPERS_VIEW),
        Role.CASHIER: _scopes(_S.ORDERS_COLLECT),
    }
)

API_KEY_ALONE: Final = _scopes(_S.CONVERSATIONS_VIEW, _S.FINANCE_VIEW, _S.ORDERS_VIEW)
"""Nothing that a person answers for: it neither initiates nor approves nor cancels a withdrawal."""


def require_scope(principal: Principal, one_of: Sequence[TenantScope]) -> None:
    """Raises ScopeMissing unless the member, or the API key, has one of the scopes."""
    if not principal.scopes.intersection(one_of):
        raise ScopeMissing(f"Missing required scope: {' OR '.join(one_of)}")


def require_scopes(own: frozenset[TenantScope], needed: frozenset[TenantScope]) -> None:
    """Raises ScopeMissing unless who has `own` has all that are needed: to grant a role, or to change who has it."""
    if missing := sorted(needed - own):
        raise ScopeMissing(f"Missing required scope: {', '.join(missing)}")
