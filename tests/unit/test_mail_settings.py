"""Settings of outgoing mail: defaults, and contradictions that end the start."""

from __future__ import annotations

import pytest

from app.config.loader import load
from app.config.setting import ConfigError
from app.services.mail.smtp import Server
from tests.support.servers import SECRETS

COMPLETE = {**SECRETS, "GATEWAY_ENV": "production", "DATABASE_URL": "postgresql://malipo_app@db/malipo"}
PASSWORD = "Zx8-smtp-Word-71"
SIGN_IN = {"MAIL_USERNAME": "malipo", "MAIL_PASSWORD": PASSWORD}


def test_defaults() -> None:
    values = load(COMPLETE)
    assert Server.of(values) is None
    assert (values["MAIL_PORT"], values["MAIL_DEFAULT_SENDER"]) == (587, "noreply@travelapp.com")
    assert (values["MAIL_USE_TLS"], values["MAIL_USE_SSL"]) == (False, False)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"MAIL_USE_TLS": "true", "MAIL_USE_SSL": "true"}, "MAIL_USE_TLS and MAIL_USE_SSL are both on"),
        (SIGN_IN | {"MAIL_SERVER": "smtp.example.com"}, "MAIL_PASSWORD would be sent unencrypted"),
        (SIGN_IN | {"MAIL_SERVER": "10.0.0.5"}, "MAIL_PASSWORD would be sent unencrypted"),
        ({"MAIL_PASSWORD": PASSWORD}, "belong together"),
        ({"MAIL_USERNAME": "malipo"}, "belong together"),
        (SIGN_IN | {"MAIL_PASSWORD": "Pässword-71-xyz"}, "must be ASCII"),
        (SIGN_IN | {"MAIL_PASSWORD": "change-me"}, "MAIL_PASSWORD is an example"),
        (SIGN_IN | {"MAIL_PASSWORD": SECRETS["SECRET_KEY"]}, "hold the same secret"),
        ({"MAIL_SERVER": "smtp.example.com:587"}, "MAIL_SERVER cannot be read"),
        ({"MAIL_PORT": "0"}, "MAIL_PORT cannot be read"),
        ({"MAIL_DEFAULT_SENDER": "desk"}, "MAIL_DEFAULT_SENDER cannot be read"),
        ({"MAIL_DEFAULT_SENDER": "Desk <desk@hotel.example"}, "MAIL_DEFAULT_SENDER cannot be read"),
        ({"MAIL_DEFAULT_SENDER": "Desk\r\nBcc: x <desk@hotel.example>"}, "MAIL_DEFAULT_SENDER cannot be read"),
        ({"MAIL_DEFAULT_SENDER": "a@b.example, c@d.example"}, "MAIL_DEFAULT_SENDER cannot be read"),
    ],
)  # fmt: skip
def test_contradictions_end_the_start_with_a_sentence(more: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        load(COMPLETE | more)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        SIGN_IN | {"MAIL_SERVER": "localhost"},
        SIGN_IN | {"MAIL_SERVER": "127.0.0.1"},
        SIGN_IN | {"MAIL_SERVER": "::1"},
        SIGN_IN | {"MAIL_SERVER": "smtp.example.com", "MAIL_USE_TLS": "true"},
        SIGN_IN | {"MAIL_SERVER": "smtp.example.com", "MAIL_USE_SSL": "1", "MAIL_PORT": "465"},
        {"MAIL_SERVER": "relay"},
        {"MAIL_DEFAULT_SENDER": '"Hôtel, Desk" <desk@hotel.example>'},
    ],
)
def test_what_can_be_meant_is_taken(more: dict[str, str]) -> None:
    server = Server.of(load(COMPLETE | more))
    assert PASSWORD not in repr(server)
