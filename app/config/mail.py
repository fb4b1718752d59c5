"""Settings of outgoing mail, under Flask-Mail's names, and which of them contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.config.setting import ConfigError, Setting
from app.parsing import flag, host_name, is_this_machine, sender, whole

MAIL_SETTINGS: Final = (
    Setting("MAIL_SERVER", "host of the SMTP server; empty: docs/mail.md", parse=host_name),
    Setting("MAIL_PORT", "its port", "587", parse=whole(1, 65_535)),
    Setting("MAIL_USE_TLS", "whether the connection is encrypted by STARTTLS", "false", parse=flag),
    Setting(
        "MAIL_USE_SSL", "whether it is encrypted from its beginning, as on port 465", "false", parse=flag
    ),
    Setting("MAIL_USERNAME", "who signs in there; empty: no sign-in"),
    Setting("MAIL_PASSWORD", "with this password", is_credential=True),
    Setting(
        "MAIL_DEFAULT_SENDER",
        "who mails are from: an address, or Name <address>",
        "noreply@travelapp.com",
        parse=sender,
    ),
)


def check_mail(values: Mapping[str, Any]) -> None:
    """Raises ConfigError with a sentence that names the settings, and never shows the password."""
    username, password = values["MAIL_USERNAME"], values["MAIL_PASSWORD"]
    is_encrypted = values["MAIL_USE_TLS"] or values["MAIL_USE_SSL"]
    if values["MAIL_USE_TLS"] and values["MAIL_USE_SSL"]:
        raise ConfigError(
            "MAIL_USE_TLS and MAIL_USE_SSL are both on: a connection is encrypted by one of them."
        )
    if bool(username) != bool(password):
        raise ConfigError("MAIL_USERNAME and MAIL_PASSWORD belong together: set both, or neither.")
    if not username.isascii() or not password.isascii():
        raise ConfigError("MAIL_USERNAME and MAIL_PASSWORD must be ASCII.")
    if password and not is_encrypted and not is_this_machine(values["MAIL_SERVER"] or "localhost"):
        raise ConfigError(
            "MAIL_PASSWORD would be sent unencrypted to another machine: set MAIL_USE_TLS or MAIL_USE_SSL to true."
        )
