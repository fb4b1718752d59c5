"""Registration and sessions: POST /auth/register, /auth/login, /auth/refresh, /auth/logout."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from app.api.wallet.schemas.auth import (
    LoginAnswer,
    LoginRequest,
    MessageAnswer,
    RefreshRequest,
    RegisterRequest,
    login_view,
    registration_view,
)
from app.errors import (
    EmailExists,
    InvalidCredentials,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    UnsupportedCurrency,
    WeakPassword,
)
from app.http.blueprint import Blueprint
from app.http.guards import bearer_token, current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.identity import authentication
from app.services.identity.authentication import Login, Registration
from app.services.tenants import members
from app.services.tenants.registration import Business, register_business

blueprint = Blueprint("auth", __name__, description="Registration and sessions.")


@blueprint.route("/auth/register", methods=["POST"])
@operation("auth_register", errors=[EmailExists, UnsupportedCurrency, WeakPassword])
@blueprint.arguments(RegisterRequest)
@blueprint.response(201, LoginAnswer)
def register(body: dict[str, Any]) -> Response:
    """Register and log in. A new user has no wallet yet: POST /accounts/wallets opens one. With `business_name` the user is the
    Owner of a new tenant, whose first API key is shown only here."""
    password, message = body.pop("password"), "Registration successful."
    if "business_name" in body:
        currency = {"currency": body.pop("currency")} if "currency" in body else {}
        business = Business(body.pop("business_name"), **currency)
        registered = register_business(business, Registration(**body), password, address=request.remote_addr)
        return respond(registration_view(registered, message=message), 201)
    login = authentication.register(Registration(**body), password, address=request.remote_addr)
    return respond(login_view(login, message=message), 201)


@blueprint.route("/auth/login", methods=["POST"])
@operation("auth_login", errors=[InvalidCredentials])
@blueprint.arguments(LoginRequest)
@blueprint.response(200, LoginAnswer)
def login(body: dict[str, Any]) -> Response:
    """Open a session."""
    opened = authentication.log_in(body["email"], body["password"], address=request.remote_addr)
    return _signed_in(opened, "Login successful.")


@blueprint.route("/auth/refresh", methods=["POST"])
@operation("auth_refresh", errors=[TokenMissing, TokenInvalid, TokenExpired])
@blueprint.arguments(RefreshRequest)
@blueprint.response(200, LoginAnswer)
def refresh(body: dict[str, Any]) -> Response:
    """Exchange a refresh token for a new pair. Each works once: a second use ends the session."""
    token = body.get("refresh_token") or bearer_token()
    continued = authentication.refresh(token, address=request.remote_addr)
    return _signed_in(continued, "Token refreshed.")


@blueprint.route("/auth/logout", methods=["POST"])
@operation("auth_logout")
@blueprint.response(200, MessageAnswer)
def logout() -> Response:
    """End the session: its access token and its refresh token stop working at once."""
    authentication.log_out(current_principal())
    return respond({"status": "success", "message": "Logged out."})


def _signed_in(login: Login, message: str) -> Response:
    memberships = members.memberships(login.user.id)
    return respond(login_view(login, message=message, memberships=memberships))
