"""The Tenant API's document, taken apart: its commands, endpoints and examples; and a reader who follows it.

document_002.txt is the document's text. Replaced in its commands are the placeholders, as their reader must, and the two hosts:
`http://localhost:8000` and `https://api.wabotiq.com` are the demo here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from app.services.demo.objects import API_KEY, CUSTOMER_ID, TENANT_ID
from tests.support.stack import Stack
from tour.client import GatewayClient
from tour.report import Report
from tour.shell import Printed, paste
from tour.users import PASSWORD

DOCUMENT = Path(__file__).with_name("document_002.txt").read_text(encoding="utf-8")
HOSTS = ("http://localhost:8000", "https://api.wabotiq.com")
GIVEN = {
    "tenant-uuid": str(TENANT_ID),
    "{tenant_id}": str(TENANT_ID),
    "your-api-key": API_KEY,
    "{api_key}": API_KEY,
    "{customer_id}": str(CUSTOMER_ID),
}
PEOPLE = {"{user1_token}": "finance", "{user2_token}": "manager"}
"""Placeholder of a token → who may do what it is for."""

_HEADINGS = re.compile(r"^### (?:\d\. )?(.+)\n", re.MULTILINE)
_SECTIONS: dict[str, str] = dict(zip(*[iter(_HEADINGS.split(DOCUMENT)[1:])] * 2, strict=True))
"""Heading without its number → text."""


@dataclass(frozen=True)
class Section:
    """What the document says about one endpoint, or about one kind of error."""

    title: str

    @property
    def text(self) -> str:
        return _SECTIONS[self.title]

    def commands(self) -> list[str]:
        """Its curl commands."""
        (block,) = re.findall(r"```bash\n(.*?)```", self.text, re.DOTALL)
        return re.split(r"\n\n", block.strip())

    def endpoint(self) -> tuple[str, str]:
        """The method and the path, with `{placeholders}`."""
        found = re.search(r"\*\*Endpoint\*\*: `(\w+) (\S+)`", self.text)
        assert found, self.title
        return found[1], found[2]

    def examples(self, label: str = "") -> list[Any]:
        """The JSON after `**label**:`; `...` in place of a list's or an object's content is nothing there."""
        heading = rf"\*\*{re.escape(label)}\*\*:\s*" if label else ""
        blocks = re.findall(rf"{heading}```json\n(.*?)```", self.text, re.DOTALL)
        assert blocks, (self.title, label)
        return [json.loads(block.replace("[...]", "[]").replace("{...}", "{}")) for block in blocks]

    def response(self) -> Any:
        return self.examples("Response")[0]


@dataclass(frozen=True)
class Reader:
    """A reader with the document, a shell, and the demo's accounts."""

    stack: Stack
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, who: str) -> str:
        if who not in self._tokens:
            body = {"email": f"{who}@example.com", "password": PASSWORD}
            answer = requests.post(f"{self.stack.url}/api/v1/auth/login", json=body, timeout=30)
            self._tokens[who] = answer.json()["access_token"]
        return self._tokens[who]

    def paste(self, command: str, who: str = "", **placeholders: str) -> Printed:
        """The answer to the command with its placeholders replaced; who: whose token `your-jwt-token` is."""
        people = PEOPLE | ({"your-jwt-token": who} if who else {})
        given = GIVEN | {f"{{{name}}}": value for name, value in placeholders.items()}
        given |= {
            placeholder: self.token(person)
            for placeholder, person in people.items()
            if placeholder in command
        }
        given |= dict.fromkeys(HOSTS, self.stack.url)
        for placeholder, value in given.items():
            command = command.replace(placeholder, value)
        assert not re.search(r"\{\w+\}|your-|tenant-uuid", command), command
        return paste(GatewayClient(self.stack.url, self.stack.sandbox_url), command, Report())

    def call(
        self, section: Section, who: str = "", json: Any = None, **placeholders: str
    ) -> requests.Response:
        """The section's endpoint; `who` empty: the API key alone."""
        method, path = section.endpoint()
        for name, value in ({"customer_id": str(CUSTOMER_ID)} | placeholders).items():
            path = path.replace(f"{{{name}}}", value)
        return self.send(method, path, who, json)

    def send(self, method: str, path: str, who: str = "", json: Any = None) -> requests.Response:
        headers = {"X-TENANT-ID": str(TENANT_ID), "X-TENANT-API-KEY": API_KEY}
        if who:
            headers["Authorization"] = f"Bearer {self.token(who)}"
        url = f"{self.stack.url}/api/v1{path}"
        return requests.request(method, url, headers=headers, json=json, timeout=30)

    def payouts(self, provider: str) -> list[str]:
        """The amount of each payout in the provider's own book, oldest first."""
        book = requests.get(f"{self.stack.sandbox_url}/sandbox/book/{provider}", timeout=30).json()
        return [entry["amount"] for entry in book["entries"] if entry["kind"] == "payout"]


def error_examples() -> Iterator[tuple[int, Any]]:
    """(status, body) of each kind of error."""
    for title in _SECTIONS:
        if found := re.match(r"(\d{3}) ", title):
            (example,) = Section(title).examples()
            yield int(found[1]), example
