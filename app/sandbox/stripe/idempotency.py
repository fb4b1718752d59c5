"""Idempotency keys: for a day, the first answer to a POST is replayed, also when it was a 500.

Source: docs.stripe.com/api/idempotent_requests. The same key with other parameters is an error. No answer is stored for
a request with invalid parameters, or for one that arrives while the first is still running.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Response, g, request

from app.sandbox.core import Sandbox
from app.sandbox.store import Document
from app.sandbox.stripe.errors import ApiError, invalid

LIFE: Final = timedelta(hours=24)
ABANDONED_AFTER: Final = timedelta(minutes=2)
"""A request that runs longer has ended with its process."""
LONGEST_KEY: Final = 255


class IdempotencyKeys:
    """The keys of the account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def answer_once(self, act: Callable[[], Response]) -> Response:
        """The answer of `act`, or the stored answer for the request's key."""
        key = request.headers.get("Idempotency-Key")
        if not key or request.method != "POST":
            return act()
        if len(key) > LONGEST_KEY:
            raise invalid(f"Idempotency keys can have at most {LONGEST_KEY} characters.")
        stored = self._claim(key)
        if stored is not None:
            return _replayed(stored)
        g.idempotency_key = key
        try:
            response = act()
        except Exception:
            self._free(key)
            raise
        self.store(response)
        response.headers["Idempotency-Key"] = key
        return response

    def store(self, response: Response) -> None:
        """Store the answer for the request's key, or free the key when nothing was done.

        This is also called before a fault can close the connection, so that an immediate retry finds the answer.
        """
        key = g.get("idempotency_key")
        if key is None:
            return
        if not g.get("is_replayable", True):
            self._free(key)
            return

        def change(stored: Document) -> None:
            stored.update(
                state="done",
                status=response.status_code,
                body=response.get_data(as_text=True),
                request_id=g.request_id,
            )

        self._sandbox.store.update("stripe", "idempotency", key, change)

    def _free(self, key: str) -> None:
        def change(stored: Document) -> None:
            stored["state"] = "free"

        self._sandbox.store.update("stripe", "idempotency", key, change)

    def _claim(self, key: str) -> Document | None:
        """The stored answer, or None when this request has claimed the key. Raises 400 and 409."""
        now = self._sandbox.now()
        claim = {
            "state": "running",
            "fingerprint": _fingerprint(),
            "path": request.path,
            "at": now.isoformat(),
        }
        if self._sandbox.store.insert("stripe", "idempotency", key, dict(claim)):
            return None

        def change(stored: Document) -> Document | None:
            age = now - datetime.fromisoformat(stored["at"])
            is_free = stored["state"] == "free" or age > LIFE
            if is_free or (stored["state"] == "running" and age > ABANDONED_AFTER):
                stored.update(claim)
                return None
            _require_same(stored, claim, key)
            if stored["state"] == "running":
                raise ApiError(
                    409,
                    "invalid_request_error",
                    f"There is currently another in-progress request using this idempotency key: {key}. "
                    "Please try again later.",
                    code="idempotency_key_in_use",
                )
            return dict(stored)

        return self._sandbox.store.update("stripe", "idempotency", key, change)


def _require_same(stored: Document, claim: dict[str, Any], key: str) -> None:
    for name, noun in (("path", "for the same endpoint"), ("fingerprint", "with the same parameters")):
        if stored[name] != claim[name]:
            raise ApiError(
                400,
                "idempotency_error",
                f"Keys for idempotent requests can only be used {noun} they were first used "
                f"{noun.split()[0]}. Try using a key other than '{key}' if you meant to execute a different request.",
            )


def _fingerprint() -> str:
    pairs = sorted(request.form.items(multi=True))
    return hashlib.sha256(repr(pairs).encode()).hexdigest()


def _replayed(stored: Document) -> Response:
    response = Response(stored["body"], status=stored["status"], mimetype="application/json")
    response.headers["Idempotent-Replayed"] = "true"
    response.headers["Original-Request"] = stored["request_id"]
    return response
