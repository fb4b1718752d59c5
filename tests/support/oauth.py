"""An application registered for a test, and what it sends."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from flask import Flask

from app.models.tenant import Permission
from app.principal import SYSTEM
from app.services.oauth import client_changes
from app.services.oauth.client_changes import Registration
from app.services.oauth.clients import GrantType

REDIRECT_URI = "https://shop.example/callback"
BY_CONSENT = (GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN)


@dataclass(frozen=True)
class OAuthApplication:
    """A client of a tenant's, and calls in its name; `secret` None: it is public."""

    app: Flask
    tenant_id: uuid.UUID
    client_id: str
    secret: str | None

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.client_id} | ({"client_secret": self.secret} if self.secret else {})

    def authorize(self, app: Flask | None = None, **query: str | None) -> Any:
        wanted = {"client_id": self.client_id, "redirect_uri": REDIRECT_URI, "response_type": "code"} | query
        sent = {name: value for name, value in wanted.items() if value is not None}
        return (app or self.app).test_client().get("/v1/oauth/authorize", query_string=sent)

    def code(self, **query: str) -> str:
        answer = self.authorize(**query)
        assert answer.status_code == 200, answer.text
        code: str = answer.json["authorization_code"]
        assert parse_qs(urlsplit(answer.json["redirect_uri"]).query)["code"] == [code]
        return code

    def post(self, path: str, **body: str) -> Any:
        return self.app.test_client().post(f"/v1/oauth/{path}", json=self.credentials | body)

    def exchange(self, code: str, **body: str) -> Any:
        return self.post("token", grant_type="authorization_code", code=code, **body)

    def refresh(self, refresh_token: str, **body: str) -> Any:
        return self.post("token", grant_type="refresh_token", refresh_token=refresh_token, **body)

    def tokens(self, **query: str) -> dict[str, Any]:
        answer = self.exchange(self.code(**query))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found


def make_application(
    app: Flask,
    tenant_id: uuid.UUID,
    *permissions: Permission,
    is_public: bool = False,
    grants: tuple[GrantType, ...] = BY_CONSENT,
    redirect_uris: tuple[str, ...] = (REDIRECT_URI,),
) -> OAuthApplication:
    """Without permissions: payments:read and payments:write."""
    wanted = permissions or (Permission.PAYMENTS_READ, Permission.PAYMENTS_WRITE)
    with app.app_context():
        row, secret = client_changes.add_client(
            tenant_id,
            Registration("Shop App", redirect_uris, grants, wanted),
            is_public=is_public,
            operator=SYSTEM,
        )
    return OAuthApplication(app, tenant_id, row.client_id, secret)


def pkce() -> tuple[str, str]:
    """(verifier, S256 challenge)."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).decode().rstrip("=")


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def refusal(answer: Any) -> tuple[int, str]:
    """Status and RFC 6749's code of a refusal in the Processing API's shape."""
    error = answer.json["error"]
    assert error["status"] == answer.status_code and error["type"] == error["error_code"], answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, error["error_code"]


class Status(Protocol):
    """The status that a call with the token is answered with; `probe`: `read` or `write`."""

    def __call__(self, token: str, probe: str = "read") -> int: ...
