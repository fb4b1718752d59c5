"""Idempotency keys: the first answer to a POST is given again for a day, a stored 500 too.

Source: docs.stripe.com/api/idempotent_requests. The same key with other parameters is an error; nothing is kept of a
request whose parameters were wrong, nor of one that came while the first was still running.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Response, g, request

from app.sandbox.core import Sandbox
from app.sandbox.stripe.errors import ApiError, invalid
from app.sandbox.stripe.objects import Document

LIFE: Final = timedelta(hours=24)
ABANDONED_AFTER: Final = timedelta(minutes=2)
"""A request that runs longer has died with its process."""
LONGEST_KEY: Final = 255


class IdempotencyKeys:
    """The keys of the one account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def once(self, act: Callable[[], Response]) -> Response:
        """The answer of `act`, or the one that was given to this request's key before."""
        key = request.headers.get("Idempotency-Key")
        if not key or request.method != "POST":
            return act()
        if len(key) > LONGEST_KEY:
            raise invalid(f"Idempotency keys can have at most {LONGEST_KEY} characters.")
        kept = self._claim(key)
        if kept is not None:
            return _replayed(kept)
        g.idempotency_key = key
        try:
            response = act()
        except Exception:
            self._free(key)
            raise
        self.keep(response)
        response.headers["Idempotency-Key"] = key
        return response

    def keep(self, response: Response) -> None:
        """Remember the answer to this request's key, or free the key when nothing was begun.

        Called before a fault can close the connection too: who repeats at once must find the answer.
        """
        key = g.get("idempotency_key")
        if key is None:
            return
        if not g.get("is_kept", True):
            self._free(key)
            return

        def change(kept: Document) -> None:
            kept.update(
                state="done",
                status=response.status_code,
                body=response.get_data(as_text=True),
                request_id=g.request_id,
            )

        self._sandbox.store.update("stripe", "idempotency", key, change)

    def _free(self, key: str) -> None:
        def change(kept: Document) -> None:
            kept["state"] = "free"

        self._sandbox.store.update("stripe", "idempotency", key, change)

    def _claim(self, key: str) -> Document | None:
        """What was answered before, or None when the key is ours now. Raises 400 and 409."""
        now = self._sandbox.now()
        claim = {
            "state": "running",
            "fingerprint": _fingerprint(),
            "path": request.path,
            "at": now.isoformat(),
        }
        if self._sandbox.store.insert("stripe", "idempotency", key, dict(claim)):
            return None

        def change(kept: Document) -> Document | None:
            age = now - datetime.fromisoformat(kept["at"])
            is_free = kept["state"] == "free" or age > LIFE
            if is_free or (kept["state"] == "running" and age > ABANDONED_AFTER):
                kept.update(claim)
                return None
            _require_same(kept, claim, key)
            if kept["state"] == "running":
                raise ApiError(
                    409,
                    "invalid_request_error",
                    f"There is currently another in-progress request using this idempotency key: {key}. "
                    "Please try again later.",
                    code="idempotency_key_in_use",
                )
            return dict(kept)

        return self._sandbox.store.update("stripe", "idempotency", key, change)


def _require_same(kept: Document, claim: dict[str, Any], key: str) -> None:
    for name, noun in (("path", "for the same endpoint"), ("fingerprint", "with the same parameters")):
        if kept[name] != claim[name]:
            raise ApiError(
                400,
                "idempotency_error",
                f"Keys for idempotent requests can only be used {noun} they were first used "
                f"{noun.split()[0]}. Try using a key other than '{key}' if you meant to execute a different request.",
            )


def _fingerprint() -> str:
    pairs = sorted(request.form.items(multi=True))
    return hashlib.sha256(repr(pairs).encode()).hexdigest()


def _replayed(kept: Document) -> Response:
    response = Response(kept["body"], status=kept["status"], mimetype="application/json")
    response.headers["Idempotent-Replayed"] = "true"
    response.headers["Original-Request"] = kept["request_id"]
    return response
