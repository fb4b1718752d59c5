"""Every route of the Tenant API, whoever added it: each role and the key alone come as far as their scopes, and what is another
tenant's does not exist."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from app import clock, ids
from app.errors import ServiceUnavailable
from app.http.guards import TENANT
from app.http.openapi import document, documented_routes
from app.http.table import Policy, policies
from app.models.customer import Customer, PaymentMethod
from app.models.member import Role, TenantScope
from app.models.order import Order
from app.services.tenants import invitations
from app.services.tenants.roles import API_KEY_ALONE, ROLES
from app.unit_of_work import transaction
from tests.support.gateway import OPERATOR
from tests.support.tenants import (
    MemberClient,
    MerchantClient,
    fund_merchant,
    make_member,
    make_merchant,
    tenant_headers,
)

Callers = dict[str, tuple[frozenset[TenantScope], dict[str, str]]]


@dataclass(frozen=True)
class Route:
    """path: as the document writes it, `/api/v1/members/{user_id}`. body: its example; None where it has none."""

    endpoint: str
    method: str
    path: str
    policy: Policy
    body: Any

    def send(self, app: Flask, headers: dict[str, str], **values: str) -> Any:
        path = re.sub(r"{(\w+)}", lambda name: values.get(name[1], str(uuid.uuid4())), self.path)
        content = {} if self.body is None else {"json": self.body}
        own = {"Idempotency-Key": str(uuid.uuid4())}
        return app.test_client().open(path, method=self.method, headers=own | headers, **content)


@pytest.fixture(scope="module")
def routes(app: Flask) -> list[Route]:
    """Those of the first prefix."""
    with app.app_context():
        spec = document(app)
    return [*_routes(app, spec)]


def _routes(app: Flask, spec: dict[str, Any]) -> Iterator[Route]:
    for route in documented_routes(app):
        if route.policy.guard is not TENANT or not route.is_first:
            continue
        body = spec["paths"][route.path][route.method.lower()].get("requestBody", {})
        media = body.get("content", {}).get("application/json", {})
        examples = [example["value"] for example in media.get("examples", {}).values()]
        yield Route(route.endpoint, route.method, route.path, route.policy, examples[0] if examples else None)


@pytest.fixture(scope="module")
def callers(app: Flask) -> Callers:
    """Name → scopes and headers: a member of each role, and the key alone."""
    merchant = make_merchant(app)
    members = {role: (ROLES[role], make_member(app, merchant, role).headers) for role in Role}
    return {**members, "the key alone": (API_KEY_ALONE, tenant_headers(merchant))}


def test_both_prefixes_ask_for_the_same_and_every_route_for_a_scope(app: Flask, routes: list[Route]) -> None:
    known, by_rule = policies(app), {}
    for rule in app.url_map.iter_rules():
        if known[rule.endpoint].guard is TENANT:
            by_rule[rule.rule, frozenset(rule.methods or ())] = known[rule.endpoint]
    first = {key: policy for key, policy in by_rule.items() if key[0].startswith("/api/v1/")}
    second = {
        (f"/api{path}", methods): policy
        for (path, methods), policy in by_rule.items()
        if path.startswith("/v1/")
    }
    assert first == second and len(first) + len(second) == len(by_rule) > 0
    assert [key for key, policy in first.items() if not policy.tenant_scopes] == []
    assert len(routes) == len(first)  # each is documented


def test_everyone_comes_exactly_as_far_as_their_scopes(
    app: Flask, routes: list[Route], callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everyone at one route of each policy, which is obeyed as written; at the others one who may and one who may not."""
    wrong, seen = [], set()
    for route in routes:
        monkeypatch.setitem(app.view_functions, route.endpoint, _reached)
        one_of = route.policy.tenant_scopes
        refused = (403, {"detail": f"Missing required scope: {' OR '.join(one_of)}"})
        names = list(callers)
        if route.policy in seen:
            may = {bool(callers[name][0].intersection(one_of)): name for name in names}
            names = list(may.values())
        seen.add(route.policy)
        for name in names:
            scopes, headers = callers[name]
            answer = route.send(app, headers)
            found = (answer.status_code, answer.get_json())
            if found != (REACHED if scopes.intersection(one_of) else refused):
                wrong.append((route.method, route.path, name, found))
    assert wrong == []


REACHED = (503, {"error": "the route was reached"})
"""An answer that is documented for each."""


def _reached(**_: Any) -> None:
    raise ServiceUnavailable("the route was reached")


def test_another_tenants_credentials_open_no_route(app: Flask, routes: list[Route]) -> None:
    own, other = (make_member(app, make_merchant(app), Role.OWNER) for _ in range(2))
    keys = tenant_headers(other.merchant)
    mixed = {
        "key": (own.headers | other.merchant.headers, 401, "INVALID_API_KEY"),
        "id": (own.headers | {"X-TENANT-ID": str(other.merchant.tenant_id)}, 401, "INVALID_API_KEY"),
        "person": (keys | own.user.headers, 403, "FORBIDDEN"),
    }
    for number, route in enumerate(routes):
        # All of them at the first route, where the guard is the same for all, and each in turn at the others.
        for what in [*mixed] if number == 0 else [[*mixed][number % len(mixed)]]:
            headers, status, code = mixed[what]
            answer = route.send(app, headers)
            found = (answer.status_code, answer.get_json()["error"]["code"])
            assert found == (status, code), (route.method, route.path, what)


def test_another_tenants_objects_do_not_exist(
    app: Flask, routes: list[Route], rows: Callable[..., list[Any]]
) -> None:
    """Their ids are answered as unknown ones, and nothing of theirs changes."""
    owner, other = (make_member(app, make_merchant(app), Role.OWNER) for _ in range(2))
    foreign = _objects(app, other)
    unknown = {name: ids.public(ids.USER, uuid.uuid4()) for name in ("user_id",)} | {"method_id": "mpesa_1"}
    before = _everything(rows, other.merchant)
    assert all(before.values())
    for route in routes:
        if "{" not in route.path:
            continue
        answers = [route.send(app, owner.headers, **values) for values in (foreign, unknown)]
        first, second = ((answer.status_code, answer.get_json()) for answer in answers)
        assert first == second, (route.method, route.path)
        # A body that does not fit this tenant may be refused first; without one nothing comes before the id.
        expected = ({404}, {400, 404})[route.body is not None]
        assert first[0] in expected, (route.method, route.path, first)
        assert first[0] != 404 or first[1] == {"detail": "Not found."}
    assert _everything(rows, other.merchant) == before


def _objects(app: Flask, member: MemberClient) -> dict[str, str]:
    """One of each kind, of the member's tenant: names in paths → ids."""
    tenant_id, now = member.merchant.tenant_id, clock.now()
    customer, order = ids.uuid7(), ids.uuid7()
    phone = {"phone_number": "254712345678"}
    method = PaymentMethod(
        id=ids.uuid7(),
        tenant_id=tenant_id,
        customer_id=customer,
        method_id="mpesa_254712345678",
        provider="mpesa",
        details=phone,
        is_default=True,
        saved_at=now,
    )
    made = [
        Customer(id=customer, tenant_id=tenant_id, name="C", created_at=now, updated_at=now),
        method,
        Order(
            id=order, tenant_id=tenant_id, customer_id=customer, amount=100, currency="KES", created_at=now
        ),
    ]
    with app.app_context():
        transaction(lambda session: session.add_all(made))
        invited, _ = invitations.invite(tenant_id, "guest@example.com", Role.CASHIER, actor=OPERATOR)
    fund_merchant(app, member.merchant, 10_000)
    client = app.test_client()
    keys = client.get("/v1/api-keys", headers=member.headers).get_json()["results"]
    asked = {"amount": 50, "method_type": "mpesa", "method_details": phone}
    withdrawal = client.post("/v1/wallet/withdrawals", json=asked, headers=member.headers).get_json()
    destinations = client.get("/v1/wallet/destinations", headers=member.headers).get_json()["results"]
    return {
        "user_id": make_member(app, member.merchant, Role.CASHIER).user.public_id,
        "invitation_id": str(invited.id),
        "key_id": keys[0]["id"],
        "customer_id": str(customer),
        "method_id": method.method_id,
        "order_id": str(order),
        "transaction_id": withdrawal["transaction_id"],
        "destination_id": destinations[0]["id"],
    }


_TABLES = (
    "members",
    "invitations",
    "api_keys",
    "customers",
    "payment_methods",
    "orders",
    "withdrawals",
    "payout_destinations",
)


def _everything(rows: Callable[..., list[Any]], merchant: MerchantClient) -> dict[str, list[Any]]:
    """What the database has of the tenant."""
    return {
        table: rows(
            f"SELECT to_jsonb(t) AS row FROM {table} t WHERE tenant_id = :id ORDER BY 1",
            id=merchant.tenant_id,
        )
        for table in _TABLES
    }


@pytest.mark.parametrize(
    ("role", "granted"),
    [
        (Role.OWNER, "conversations:view finance:view finance:withdraw:initiate finance:withdraw:approve"),
        (Role.ADMIN, "conversations:view finance:view finance:withdraw:initiate"),
        (Role.FINANCE_ADMIN, "finance:view finance:withdraw:initiate finance:withdraw:approve"),
        (Role.FINANCE, "finance:view finance:withdraw:initiate"),
        (Role.SUPPORT_LEAD, "conversations:view"),
        (Role.ANALYST, "finance:view"),
        (Role.CASHIER, ""),
    ],
)
def test_a_roles_scopes_are_the_documents(role: Role, granted: str) -> None:
    of_document_002 = {
        "conversations:view",
        "finance:view",
        "finance:withdraw:initiate",
        "finance:withdraw:approve",
    }
    assert ROLES[role] & of_document_002 == set(granted.split())
    assert API_KEY_ALONE & of_document_002 == {"conversations:view", "finance:view"}
