"""A business registers: its first user, the tenant and the tenant's first API key.

Guarantees: all of it or nothing, in one transaction; the user is the tenant's Owner.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidRequest
from app.models.member import Role
from app.models.tenant import Plan, Tenant
from app.models.user import User
from app.money import exponent_of
from app.services.identity import authentication
from app.services.identity.authentication import Login, Registration
from app.services.tenants.api_keys import new_key, valid_name
from app.services.tenants.members import join
from app.services.tenants.tenants import DEFAULT_CURRENCY, store_tenant
from app.unit_of_work import transaction


@dataclass(frozen=True, slots=True)
class Business:
    """What a business submits beside its user. currency: what it withdraws in; ISO 4217."""

    name: str
    currency: str = DEFAULT_CURRENCY


@dataclass(frozen=True, slots=True)
class RegisteredBusiness:
    """api_key: shown only now."""

    login: Login
    tenant: Tenant
    api_key: str


def register_business(
    business: Business, registration: Registration, password: str, *, address: str | None
) -> RegisteredBusiness:
    """A user, signed in, who is the Owner of a new tenant with plan starter.

    Raises EmailExists, WeakPassword, UnsupportedCurrency, InvalidRequest (the business's name, or the e-mail address; or only
    the operator registers businesses).
    """
    if not current_app.config["BUSINESS_REGISTRATION"]:
        raise InvalidRequest("Businesses are registered by the operator.", field="business_name")
    name, key = valid_name(business.name, field="business_name"), new_key()
    exponent_of(business.currency)
    new = authentication.new_user(registration, password)
    owner = new.principal(address)

    def work(session: Session) -> tuple[User, Tenant]:
        user = new.store(session, address=address)
        tenant = store_tenant(
            session, name, key, plan=Plan.STARTER, currency=business.currency, operator=owner
        )
        join(session, tenant.id, user.id, Role.OWNER, actor=owner, now=clock.now())
        return user, tenant

    user, tenant = transaction(work)
    return RegisteredBusiness(new.login(user), tenant, key)
