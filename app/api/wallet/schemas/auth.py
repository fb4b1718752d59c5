"""Bodies of registration, login, refresh and logout."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from marshmallow import ValidationError, pre_load
from marshmallow import fields as ma

from app.clock import iso_z
from app.http import fields
from app.http.answers import Answer, Time, one_of
from app.http.schema import Schema
from app.models.user import User
from app.services.identity import emails
from app.services.identity.authentication import Login
from app.services.identity.passwords import MAX_LENGTH
from app.services.identity.tokens import MAX_TOKEN_LENGTH

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
        }
    }

    first_name = fields.Text(required=True, max_length=100)
    last_name = fields.Text(required=True, max_length=100)
    phone = fields.Text(
        allow_none=True,
        max_length=25,
        pattern=r"\+?[0-9][0-9 ()-]{5,23}",
        metadata={"examples": ["+254712345678"]},
    )

    @pre_load
    def refuse_businesses(self, data: Any, **_: Any) -> Any:
        if isinstance(data, dict) and "business_name" in data:
            raise ValidationError(
                "Only natural persons can be registered here; leave this field out.", "business_name"
            )
        return data


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


class LoginAnswer(LoginFacts):
    token = ma.String(metadata={"description": "The access token again."})
    message = ma.String()
    data = ma.Nested(LoginFacts, metadata={"description": "A copy of the fields above."})


class MessageAnswer(Answer):
    status = one_of("success")
    message = ma.String()


def login_view(login: Login, *, message: str) -> dict[str, Any]:
    """One answer for the two contracts that share these paths: `token` and `message` are the Tenant API's names."""
    facts = {
        "user_id": login.user.public_id,
        "access_token": login.tokens.access_token,
        "refresh_token": login.tokens.refresh_token,
        "token_type": "Bearer",
        "expires_in": login.tokens.expires_in,
        "user": user_view(login.user),
    }
    return facts | {"token": login.tokens.access_token, "message": message, "data": facts}


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
