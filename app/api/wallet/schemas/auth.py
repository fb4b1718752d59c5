"""Bodies of registration, login, refresh and logout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from marshmallow import ValidationError, validates_schema
from marshmallow import fields as ma

from app.clock import iso_z
from app.http import fields
from app.http.answers import Answer, Time, one_of
from app.http.schema import Schema
from app.models.member import Role
from app.models.tenant import Plan, Tenant
from app.models.user import User
from app.services.identity import emails
from app.services.identity.authentication import Login
from app.services.identity.passwords import MAX_LENGTH
from app.services.identity.tokens import MAX_TOKEN_LENGTH
from app.services.tenants.api_keys import MAX_NAME
from app.services.tenants.members import Membership
from app.services.tenants.registration import RegisteredBusiness

PASSWORD: Final = {
    "format": "password",
    "description": "At least 8 characters with an upper-case and a lower-case letter, a digit and a special character.",
}


class LoginRequest(Schema):
    examples: ClassVar = {"sender": {"email": "sender@example.com", "password": "SecurePass123!"}}

    email = fields.Text(
        required=True, max_length=emails.MAX_LENGTH, metadata={"examples": ["bob@example.com"]}
    )
    # Its strength is judged by the service, with a code of its own.
    password = fields.Text(required=True, min_length=0, max_length=MAX_LENGTH, metadata=PASSWORD)


class RegisterRequest(LoginRequest):
    examples: ClassVar = {
        "a user": {
            "email": "dana@example.com",
            "password": "SecurePass123!",
            "first_name": "Dana",
            "last_name": "Okafor",
            "phone": "+254712345678",
        },
        "a business": {
            "business_name": "Duka Moja",
            "email": "duka@example.com",
            "password": "SecurePass123!",
            "currency": "KES",
        },
    }

    first_name = fields.Text(max_length=100, metadata={"description": "Required without business_name."})
    last_name = fields.Text(max_length=100, metadata={"description": "Required without business_name."})
    phone = fields.Text(
        allow_none=True,
        max_length=25,
        pattern=r"\+?[0-9][0-9 ()-]{5,23}",
        metadata={"examples": ["+254712345678"]},
    )

    business_name = fields.Text(
        max_length=MAX_NAME,
        metadata={"description": "Makes a tenant whose Owner the user is, and its first API key."},
    )
    currency = fields.Currency(
        metadata={
            "description": "ISO 4217: what the business withdraws in; default: KES.",
            "examples": ["KES"],
        }
    )

    @validates_schema
    def require_names_of_persons(self, data: dict[str, Any], **_: Any) -> None:
        if "business_name" in data:
            return
        missing = [name for name in ("first_name", "last_name") if name not in data]
        if missing:
            raise ValidationError({name: [fields.MESSAGES["required"]] for name in missing})
        if "currency" in data:
            raise ValidationError("This is for businesses: send business_name, too.", "currency")


class RefreshRequest(Schema):
    examples: ClassVar = {
        "a refresh token": {"refresh_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3IifQ.c2ln"}
    }

    refresh_token = fields.Text(
        max_length=MAX_TOKEN_LENGTH,
        metadata={"description": "Or send it as Authorization: Bearer <refresh token>."},
    )


class UserFacts(Answer):
    id = ma.String(metadata={"examples": ["usr_0d4c2f6a9b8e4f1f8a7b6c5d4e3f2a1b"]})
    email = ma.String()
    email_confirmed = ma.Boolean(
        metadata={"description": "Whether you are paid by this address: POST /auth/confirm-email."}
    )
    first_name = ma.String()
    last_name = ma.String()
    phone = ma.String(allow_none=True)
    kyc_tier = one_of("tier_0", "tier_1", "tier_2", "tier_3")
    created_at = Time()


class LoginFacts(Answer):
    user_id = ma.String()
    access_token = ma.String()
    refresh_token = ma.String(metadata={"description": "Works once; using it again ends the session."})
    token_type = one_of("Bearer")
    expires_in = ma.Integer(metadata={"description": "Seconds the access token lives."})
    user = ma.Nested(UserFacts)


class TenantOfUser(Answer):
    id = ma.UUID()
    name = ma.String()
    role = one_of(*Role)


class TenantOfLogin(TenantOfUser):
    optional = frozenset({"plan", "currency", "api_key"})

    plan = one_of(*Plan, description="Only after a registration.")
    currency = ma.String(metadata={"description": "Only after a registration."})
    api_key = ma.String(metadata={"description": "Only after a registration, and shown only there."})


class LoginAnswer(LoginFacts):
    optional = frozenset({"tenant", "tenants"})

    token = ma.String(metadata={"description": "The access token again."})
    message = ma.String()
    data = ma.Nested(LoginFacts, metadata={"description": "A copy of the fields above."})
    tenant = ma.Nested(
        TenantOfLogin,
        metadata={
            "description": "The tenant that the user has just registered, or joined first; absent without one."
        },
    )
    tenants = ma.List(
        ma.Nested(TenantOfUser),
        metadata={"description": "At a login: all that the user can act for; absent without one."},
    )


class MessageAnswer(Answer):
    status = one_of("success")
    message = ma.String()


def login_view(login: Login, *, message: str, memberships: Sequence[Membership] = ()) -> dict[str, Any]:
    """One answer for the two contracts that share these paths: `token`, `message` and `tenant` are the Tenant API's names."""
    facts = {
        "user_id": login.user.public_id,
        "access_token": login.tokens.access_token,
        "refresh_token": login.tokens.refresh_token,
        "token_type": "Bearer",
        "expires_in": login.tokens.expires_in,
        "user": user_view(login.user),
    }
    tenants = [_tenant_view(one.tenant, one.role) for one in memberships]
    of_member = {"tenant": tenants[0], "tenants": tenants} if tenants else {}
    return facts | {"token": login.tokens.access_token, "message": message, "data": facts} | of_member


def registration_view(registered: RegisteredBusiness, *, message: str) -> dict[str, Any]:
    """With the first API key, which is not stored."""
    tenant = registered.tenant
    facts = {"plan": tenant.plan, "currency": tenant.currency, "api_key": registered.api_key}
    return login_view(registered.login, message=message) | {
        "tenant": _tenant_view(tenant, Role.OWNER) | facts
    }


def _tenant_view(tenant: Tenant, role: Role) -> dict[str, Any]:
    return {"id": tenant.id, "name": tenant.name, "role": role}


def user_view(user: User) -> dict[str, Any]:
    """A user as they see themselves."""
    return {
        "id": user.public_id,
        "email": user.email,
        "email_confirmed": user.email_confirmed_at is not None,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "phone": user.phone,
        "kyc_tier": f"tier_{user.tier}",
        "created_at": iso_z(user.created_at),
    }
