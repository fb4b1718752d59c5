"""Every error a request can end in, rendered in the shape of the surface it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from app.api import bookings, gateway, processing, tenant, wallet  # noqa: F401 the surfaces
from app.api.bookings import errors as booking_errors
from app.api.gateway import errors as gateway_errors
from app.api.processing import errors as processing_errors
from app.api.responses import respond
from app.api.surfaces import Surface, surface_of
from app.api.tenant import errors as tenant_errors
from app.api.wallet import errors as wallet_errors
from app.errors import GatewayError, InvalidRequest, NotFound, PayloadTooLarge, UnsupportedMediaType

RENDERERS: Final[dict[Surface, Callable[[GatewayError], dict[str, Any]]]] = {
    Surface.WALLET: wallet_errors.render,
    Surface.GATEWAY: gateway_errors.render,
    Surface.TENANT: tenant_errors.render,
    Surface.PROCESSING: processing_errors.render,
    Surface.BOOKINGS: booking_errors.render,
    Surface.SYSTEM: wallet_errors.render,
}

_CLOSE_STATUS: Final = 413

log = structlog.get_logger(__name__)


class MethodNotAllowed(GatewayError):
    http_status = 405
    code = "METHOD_NOT_ALLOWED"
    default_message = "This method is not allowed here."


class InternalError(GatewayError):
    """Our fault. Tells the request id and nothing else; the log has the rest."""

    http_status = 500
    code = "INTERNAL_ERROR"
    default_message = "Something went wrong on our side."


_OF_STATUS: Final[dict[int, type[GatewayError]]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    500: InternalError,
}


def init(app: Flask) -> None:
    """After flask-smorest, which registers a handler of its own."""
    app.register_error_handler(GatewayError, _answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def _answer(error: GatewayError) -> Response:
    response = respond(
        RENDERERS[surface_of(request.path, request.method)](error), error.http_status, replayed=error.replayed
    )
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.http_status == _CLOSE_STATUS:
        # The rest of the body is not going to be read.
        response.headers["Connection"] = "close"
    return response


def _answer_http(error: HTTPException) -> Response:
    """What Flask and werkzeug raise themselves: no route, another method, an unreadable form."""
    status = error.code or 500
    response = _answer(_OF_STATUS[status]() if status in _OF_STATUS else _of_other_status(status))
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _of_other_status(status: int) -> GatewayError:
    error = InvalidRequest() if status < 500 else InternalError()
    error.http_status = status
    return error


def _answer_unexpected(error: Exception) -> Response:
    log.error("unhandled", method=request.method, route=str(request.url_rule), exc_info=error)
    return _answer(InternalError(details={"request_id": g.get("request_id", "")}))
