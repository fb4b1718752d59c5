"""Small pieces of HTTP that every simulator needs."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Response, redirect, request


class Refusal(Exception):
    """Base of each provider's errors: an answer other than success."""

    def answer(self) -> Response:
        """The error as the provider writes it."""
        raise NotImplementedError


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status=status, mimetype="application/json")


def json_object() -> dict[str, Any] | None:
    """The JSON object in the request's body, None when the body is anything else."""
    parsed = request.get_json(silent=True)
    return parsed if isinstance(parsed, dict) else None


def bearer_token() -> str:
    """The token of the Authorization header, empty when the scheme is another one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_equal(given: str, expected: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def is_web_address(text: str) -> bool:
    """Whether `text` is an http or https URL with a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def with_query(url: str, parameters: Mapping[str, Any]) -> str:
    """`url` with `parameters` added to its query."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))


def see_other(url: str) -> Response:
    """Redirect the browser to `url` with a GET."""
    response = redirect(url, 303)
    assert isinstance(response, Response)
    return response
