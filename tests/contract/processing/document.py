"""The Processing API's document, taken apart: its keys, endpoints and examples. document_003.txt is the document's text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

DOCUMENT = Path(__file__).with_name("document_003.txt").read_text(encoding="utf-8")

KEYS: dict[str, str] = {
    name: key for key, name in re.findall(r"^\| `(demo_key_\w+)` \| ([\w ]+) \|", DOCUMENT, re.MULTILINE)
}
"""Name in the document's table → key."""

_SECTIONS: dict[str, str] = dict(
    zip(*[iter(re.split(r"^### (.+)\n", DOCUMENT, flags=re.MULTILINE)[1:])] * 2, strict=True)
)


@dataclass(frozen=True)
class Section:
    """What the document says about one endpoint."""

    title: str

    @property
    def text(self) -> str:
        return _SECTIONS[self.title]

    def example(self, label: str) -> Any:
        """The JSON after `**label…**`; `...` in it stands for further fields."""
        found = re.search(rf"\*\*{re.escape(label)}.*?\*\*:?\n```json\n(.*?)```", self.text, re.DOTALL)
        assert found, (self.title, label)
        shown = re.sub(r',\s*"\.\.\."(: "\.\.\.")?(?=\s*})', "", found[1])
        return json.loads(shown)

    def fields(self) -> dict[str, str]:
        """Parameter or field → the type in the section's table."""
        return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", self.text, re.MULTILINE))


@dataclass(frozen=True)
class Reader:
    """A reader with a running demo at `url`."""

    url: str

    def call(
        self, method: str, path: str, *, key: str | None = "Standard", **kwargs: Any
    ) -> requests.Response:
        """key: one of KEYS; None for none."""
        headers = kwargs.pop("headers", {}) | ({"Authorization": f"Bearer {KEYS[key]}"} if key else {})
        return requests.request(method, f"{self.url}/v1{path}", headers=headers, timeout=30, **kwargs)

    def pay(self, **differing: Any) -> requests.Response:
        """The document's request, with other fields."""
        body = Section("Create Payment").example("Request Body") | differing
        return self.call("POST", "/payments", json=body)
