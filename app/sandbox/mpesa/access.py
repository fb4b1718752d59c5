"""Access tokens: one lives at a time, for an hour; a new one kills the old."""

from __future__ import annotations

import functools
import hmac
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, Response, request

from app.sandbox.core import Sandbox
from app.sandbox.faults import faulty
from app.sandbox.mpesa.replies import Refused, broken, spike_arrest, token_refused

LIFE_S: Final = 3599
_CURRENT: Final = "current"

View = Callable[..., Any]


def add(blueprint: Blueprint, sandbox: Sandbox) -> None:
    """The token call."""

    def nothing() -> tuple[Decimal | None, str | None]:
        return None, None

    @faulty(
        sandbox,
        "mpesa",
        "token",
        nothing,
        error=broken,
        limited=spike_arrest,
        expired=lambda: Response(status=400),
    )
    def token() -> Any:
        given = request.authorization
        if given is None or given.type != "basic":
            raise Refused(400, "400.008.01", "Invalid Authentication passed")
        if request.args.get("grant_type") != "client_credentials":
            raise Refused(400, "400.008.02", "Invalid grant type passed")
        if not _is_merchant(sandbox, given.username or "", given.password or ""):
            return Response(status=400)
        return {"access_token": _new_token(sandbox), "expires_in": str(LIFE_S)}

    blueprint.add_url_rule("/oauth/v1/generate", "token", token, methods=["GET"])


def _is_merchant(sandbox: Sandbox, key: str, secret: str) -> bool:
    pairs = ((key, "consumer_key"), (secret, "consumer_secret"))
    return all(_equal(given, sandbox.dashboard.credential("mpesa", name)) for given, name in pairs)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _new_token(sandbox: Sandbox) -> str:
    token = secrets.token_urlsafe(21)
    kept = {"token": token, "ends": sandbox.now().timestamp() + LIFE_S}
    with sandbox.database.transaction():
        if not sandbox.store.insert("mpesa", "token", _CURRENT, kept):
            sandbox.store.update("mpesa", "token", _CURRENT, lambda token: token.update(kept))
    return token


def with_token(sandbox: Sandbox) -> Callable[[View], View]:
    """A view only for bearers of the living token."""

    def around(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise Refused(404, "404.001.04", "Invalid Authentication Header")
            kept = sandbox.store.get("mpesa", "token", _CURRENT)
            if kept is None or not _equal(token, kept["token"]) or kept["ends"] <= sandbox.now().timestamp():
                return token_refused()
            return view(*args, **kwargs)

        return guarded

    return around
