"""One spelling for each e-mail address."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest
from app.services.identity import emails


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("bob@example.com", "bob@example.com"),
        ("  Bob@Example.COM ", "bob@example.com"),
        ("first.last+tag@mail.example.co.ke", "first.last+tag@mail.example.co.ke"),
        ("o'neil_1@xn--bcher-kva.example", "o'neil_1@xn--bcher-kva.example"),
    ],
)
def test_normal(given: str, normal: str) -> None:
    assert emails.normal(given) == normal


@pytest.mark.parametrize(
    "given",
    [
        "",
        "bob",
        "@example.com",
        "bob@",
        "bob@example",
        "bob@@example.com",
        "a@b@example.com",
        "bob@-a.com",
        "bob@a-.com",
        "bob@a..com",
        ".bob@a.com",
        "bob.@a.com",
        "b..b@a.com",
        "bo b@a.com",
        "bob@a.com\n@b.com",
        "bob@a.com\0",
        "bób@a.com",
        "bob@exämple.com",
        "b\u212ab@a.com",
        "a" * 65 + "@a.com",
        "a@" + "b" * 250 + ".com",
    ],
)
def test_refused(given: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        emails.normal(given)
    assert caught.value.field == "email"
