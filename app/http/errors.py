"""Every error a request can end in, rendered in the shape of the surface it belongs to."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from app.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from app.http.responses import respond
from app.http.surfaces import Surface, surface_of

Renderer = Callable[[GatewayError], dict[str, Any]]
"""Makes the body of a surface's error answer."""

_CLOSE_STATUS: Final = 413

_OF_FULL_DISKS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Of the folder for documents, or of the one in which large uploads wait."""

log = structlog.get_logger(__name__)


class MethodNotAllowed(GatewayError):
    http_status = 405
    code = "METHOD_NOT_ALLOWED"
    default_message = "This method is not allowed here."


class InternalError(GatewayError):
    """A fault of the gateway. The answer has the request id and nothing else; the log has the rest."""

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


def init(app: Flask, renderers: Mapping[Surface, Renderer]) -> None:
    """Bind a renderer for every surface. Call it after flask-smorest's init, which registers a handler of its own."""
    app.extensions["error_renderers"] = dict(renderers)
    app.register_error_handler(GatewayError, _answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def _answer(error: GatewayError) -> Response:
    render: Renderer = current_app.extensions["error_renderers"][surface_of(request.path, request.method)]
    response = respond(render(error), error.http_status, replayed=error.replayed)
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
    if isinstance(error, OSError) and error.errno in _OF_FULL_DISKS:
        log.error("disk.takes_no_writes", route=str(request.url_rule), errno=error.errno)
        return _answer(ServiceUnavailable())
    log.error("unhandled", method=request.method, route=str(request.url_rule), exc_info=error)
    return _answer(InternalError(details={"request_id": g.get("request_id", "")}))
