"""Rows and policies of the table of routes, and how they are mounted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from flask import Flask

from app.http import query
from app.http.blueprint import Blueprint
from app.http.guards import Guard
from app.http.surfaces import Surface
from app.models.member import TenantScope
from app.models.tenant import Permission
from app.models.user import Scope
from app.principal import Principal
from app.rate_limits import Limit


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may call a route, which scope users need for it, and which limit their requests count for (None: none).

    merchant_limit: where the guard admits users and merchants, the limit of merchants. tenant_scopes: a member, or an API key, needs
    one of these. permission: what a restricted API key, or an OAuth token, needs.
    """

    guard: Guard
    limit: Limit | None = Limit.DEFAULT
    scope: Scope | None = None
    merchant_limit: Limit | None = None
    tenant_scopes: tuple[TenantScope, ...] = ()
    permission: Permission | None = None

    def limit_of(self, principal: Principal | None) -> Limit | None:
        """Which limit a request of this principal counts for."""
        is_merchant = principal is not None and principal.tenant is not None
        return self.merchant_limit if is_merchant and self.merchant_limit is not None else self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """A blueprint, where it is mounted, the policy of its routes, and of the routes (by function name) that differ.

    `is_documented`: whether its routes are in the OpenAPI document. `takes_any_query`: other parties write the query
    (providers, browsers), so parameters that no route declares are no error.
    """

    blueprint: Blueprint
    prefixes: tuple[str, ...]
    surface: Surface
    policy: Policy
    differing: Mapping[str, Policy] = field(default_factory=lambda: MappingProxyType({}))
    is_documented: bool = True
    takes_any_query: bool = False


def mount(app: Flask, rows: tuple[Row, ...]) -> None:
    """Register every row under each of its prefixes. Raises ValueError when `differing` names no route of its row."""
    found: dict[str, Policy] = {}
    documented: list[tuple[str, Blueprint]] = []
    any_query: set[str] = set()
    for row in rows:
        for number, prefix in enumerate(row.prefixes):
            name = row.blueprint.name if number == 0 else f"{row.blueprint.name}{number + 1}"
            app.register_blueprint(row.blueprint, url_prefix=prefix or None, name=name)
            if row.is_documented:
                documented.append((name, row.blueprint))
            names = {
                rule.endpoint.removeprefix(f"{name}.")
                for rule in app.url_map.iter_rules()
                if rule.endpoint.startswith(f"{name}.")
            }
            if unknown := set(row.differing) - names:
                raise ValueError(
                    f"the table names routes that {row.blueprint.name} does not have: {sorted(unknown)}"
                )
            if row.takes_any_query:
                any_query |= {f"{name}.{route}" for route in names}
            found |= {f"{name}.{route}": row.differing.get(route, row.policy) for route in names}
    query.bind(app, frozenset(any_query))
    app.extensions["policies"] = found
    app.extensions["documented_blueprints"] = documented


def policies(app: Flask) -> Mapping[str, Policy]:
    """Endpoint → policy, of every route."""
    known: Mapping[str, Policy] = app.extensions["policies"]
    return known


def documented_blueprints(app: Flask) -> Sequence[tuple[str, Blueprint]]:
    """(registered name, blueprint) of every row that the OpenAPI document describes."""
    known: Sequence[tuple[str, Blueprint]] = app.extensions["documented_blueprints"]
    return known
