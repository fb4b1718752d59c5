"""Providers' callbacks: stored as received, acknowledged as that provider expects, processed afterwards.

There is no rate limit: Daraja reports a result once, and a callback that is refused is lost. Bodies are bounded instead.
"""

from __future__ import annotations

from typing import Final

import structlog
from flask import Response, current_app, request

from app.errors import (
    CallbackSenderRefused,
    ForgedCallbackRefused,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    ProviderNotConfigured,
)
from app.http import strict_json
from app.http.blueprint import Blueprint
from app.http.operation import operation
from app.http.responses import respond
from app.metrics import Metrics
from app.providers import NAMES
from app.providers.base import Acknowledgement, Callback
from app.services.callbacks import receive as provider_event_service
from app.services.callbacks.addresses import is_private

blueprint = Blueprint("webhooks", __name__, description="Callbacks of providers.")

MAX_BODY_BYTES: Final = 262_144
"""Far above what any provider sends."""

REFUSALS: Final = (InvalidRequest, ProviderNotConfigured, ForgedCallbackRefused, NotFound, PayloadTooLarge)

PRIVATE_SENDER_HINT: Final = (
    "The provider's address is not known here, so its list refuses every callback: set TRUSTED_PROXIES to the number of "
    "proxies (in compose PROXIES_IN_FRONT=1 for the one that terminates TLS)."
)

log = structlog.get_logger("callbacks")

ANYTHING: Final = {"type": "object"}
TEXT: Final = {"type": "string"}


@blueprint.route("/webhooks/<provider:provider>", methods=["GET", "POST"])
@operation("callbacks_receive", errors=REFUSALS)
@blueprint.response(200, ANYTHING, description="What this provider expects.")
@blueprint.alt_response(
    200, schema=TEXT, content_type="text/plain", description="What this provider expects."
)
def receive(provider: str) -> Response:
    """A callback for the platform's account at a provider. Answered as that provider expects; 401: a bad signature."""
    return _receive(provider, None)


@blueprint.route("/webhooks/<provider:provider>/<token:token>", methods=["GET", "POST"])
@operation("callbacks_receive_at_token", errors=REFUSALS)
@blueprint.response(200, ANYTHING, description="What this provider expects.")
@blueprint.alt_response(
    200, schema=TEXT, content_type="text/plain", description="What this provider expects."
)
def receive_at_token(provider: str, token: str) -> Response:
    """The same for a merchant's own account, or for one payment or refund: the token determines which."""
    return _receive(provider, token)


def _receive(provider: str, token: str | None) -> Response:
    if request.method == "HEAD":
        return Response(status=200)  # a check whether the address exists
    try:
        acknowledgement = provider_event_service.receive(
            provider, token, _callback(), address=request.remote_addr
        )
    except REFUSALS as error:
        metrics: Metrics = current_app.extensions["metrics"]
        name = NAMES[provider].name if provider in NAMES else "unknown"
        metrics.count_refused_callback(name, error.code)
        if isinstance(error, CallbackSenderRefused) and is_private(request.remote_addr):
            metrics.count_private_sender(name)
            _warn_once(name, request.remote_addr)
        raise
    return _acknowledged(acknowledgement)


def _warn_once(provider: str, address: str | None) -> None:
    """Every callback comes from there when a proxy is not trusted, or does not pass the client's address on."""
    warned: set[str] = current_app.extensions.setdefault("private_senders_warned", set())
    if provider not in warned:
        warned.add(provider)
        log.warning(
            "callback.sender_is_private", provider=provider, address=address, hint=PRIVATE_SENDER_HINT
        )


def _callback() -> Callback:
    """The request as it came, any content type. Raises PayloadTooLarge, InvalidRequest."""
    body = strict_json.read_bytes(request, MAX_BODY_BYTES)
    query = request.args.to_dict()
    headers = {name.lower(): value for name, value in request.headers.items()}
    for name, value in (*query.items(), *headers.items()):
        if "\x00" in name or "\x00" in value:
            raise InvalidRequest("The request holds a NUL character.")  # no database stores one
    return Callback(method=request.method, headers=headers, query=query, body=body)


def _acknowledged(acknowledgement: Acknowledgement) -> Response:
    if isinstance(acknowledgement.body, str):
        return Response(
            acknowledgement.body, acknowledgement.status, content_type="text/plain; charset=utf-8"
        )
    return respond(acknowledgement.body, acknowledgement.status)
