"""The Booking API's document, taken apart: its commands and examples. document_004.txt is the document's text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

DOCUMENT = Path(__file__).with_name("document_004.txt").read_text(encoding="utf-8")

BOOKING_ID: Final = "f367ddf9-f2ff-4de2-b929-0e0942ace93b"

OWN: Final = frozenset(
    {"checkout_url", "payment_id", "transaction_reference", "transaction_id", "payment_date"}
)
"""Members that are another payment's in every answer."""


def example(title: str) -> dict[str, Any]:
    """The JSON below the heading that begins so."""
    found = re.search(rf"^### {re.escape(title)}.*?\n```json\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, title
    body: dict[str, Any] = json.loads(found[1])
    return body


def mail(part: str) -> str:
    """What section 4 shows below `**part:**`."""
    found = re.search(rf"\*\*{part}:\*\*\n```\n(.*?)\n```", DOCUMENT, re.DOTALL)
    assert found, part
    return found[1]


def command(title: str) -> str:
    """The shell command below `**title:**` in section 6."""
    found = re.search(rf"\*\*{title}:\*\*\n```bash\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found, title
    return found[1]


def program() -> str:
    """Section 6's Python program."""
    found = re.search(r"### Test with Python\n```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found[1]


def without_own(body: Any) -> Any:
    """The answer without the values of OWN: only their names stay."""
    if not isinstance(body, dict):
        return body
    return {name: "…" if name in OWN else without_own(value) for name, value in body.items()}
