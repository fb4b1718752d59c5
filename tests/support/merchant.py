"""A merchant of a simulator: it calls the provider's API as its own client would, and reads the callbacks it received."""

from __future__ import annotations

import json
from typing import Any

import requests

from tests.support.sandbox import CallbackReceiver, RunningSandbox


class Merchant:
    """Of one provider; subclasses know its calls. `base` is what comes before the API's own paths."""

    provider: str
    base: str
    key: str

    def __init__(self, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
        """On a sandbox as on its first day."""
        sandbox.reset()
        receiver.received.clear()
        receiver.statuses.clear()
        receiver.status = 200
        self.sandbox, self.receiver = sandbox, receiver

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        url = f"{self.sandbox.url}{self.base}{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=30, **options)

    def get(self, path: str) -> requests.Response:
        return self.call("GET", path)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.call("POST", path, body)

    def webhooks(self) -> list[dict[str, Any]]:
        """The bodies of those that came, in order."""
        return [json.loads(one.body) for one in self.receiver.of(f"/hooks/{self.provider}")]

    def book(self, reference: str | None = None) -> list[tuple[str, str, str]]:
        """(kind, amount, currency) of what really moved."""
        entries = self.sandbox.book(self.provider, reference)["entries"]
        return [(entry["kind"], entry["amount"], entry["currency"]) for entry in entries]

    def recorded(self, kind: str) -> list[tuple[str, str]]:
        """(reference, amount) of every charge, refund or payout."""
        entries = self.sandbox.book(self.provider)["entries"]
        return [(entry["reference"], entry["amount"]) for entry in entries if entry["kind"] == kind]
