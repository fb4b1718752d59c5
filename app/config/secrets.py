"""What a secret must be: never an example, and in production nothing that could be guessed or is used twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from app.config.setting import ConfigError, Setting
from app.parsing import words

MIN_SECRET_LENGTH: Final = 32

MIN_PASSWORD_LENGTH: Final = 16
"""Of the passwords in DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL, where there is one."""

MIN_DIFFERENT_CHARACTERS: Final = 8
"""Random text of MIN_PASSWORD_LENGTH characters has more, in hexadecimal, too: fewer is `aaaa…` or `abababab…`."""

EXAMPLES: Final = frozenset(
    {
        "",
        "secret",
        "dev",
        "development",
        "test",
        "password",
        "postgres",
        # Published by Flask, by jwt.io and in cryptography's documentation.
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        "a-string-secret-at-least-256-bits-long",
        "super-secret",
    }
)
"""Values that are no secret, in lower case."""

EXAMPLE_PARTS: Final = ("change-me", "changeme", "change_me", "change-this", "replace-me", "your-", "your_")
"""`.env.example` has `change-me`. A secret that is, begins with or repeats one of these is none."""

URLS: Final = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")


class _Secret(NamedTuple):
    """owner: what may have one value under several names (a role of the database)."""

    name: str
    value: str
    owner: str


def check_secrets(settings: Sequence[Setting], values: Mapping[str, Any], mode: str) -> None:
    """Raises ConfigError with a sentence that names the setting, and never shows its value."""
    secrets = [setting.name for setting in settings if setting.secret]
    for name in secrets:
        if is_example(values[name]):
            raise ConfigError(
                f"{name} is not set: put a random value of {MIN_SECRET_LENGTH}+ characters there."
            )
    if mode != "production":
        return
    for name in secrets:
        _require_strong(name, values[name], MIN_SECRET_LENGTH)
    passwords = list(_passwords(values))
    for password in passwords:
        _require_strong(f"The password in {password.name}", password.value, MIN_PASSWORD_LENGTH)
    credentials = list(_credentials(settings, values))
    for credential in credentials:
        if is_example(credential.value) or len(set(credential.value)) == 1:
            raise ConfigError(f"{credential.name} is an example: put the provider's own value there.")
    own = [_Secret(name, key, name) for name in secrets for key in words(values[name])]
    _require_distinct([*own, *passwords, *credentials])


def is_example(value: str) -> bool:
    """Whether it is empty, a placeholder, or published as an example."""
    text = value.lower()
    return text in EXAMPLES or any(part in text for part in EXAMPLE_PARTS)


def _require_strong(name: str, value: str, length: int) -> None:
    if is_example(value):
        raise ConfigError(f"{name} is an example: put a random value of {length}+ characters there.")
    if len(value) < length:
        raise ConfigError(f"{name} is too short: at least {length} characters.")
    if len(set(value)) < MIN_DIFFERENT_CHARACTERS or value in (value + value)[1:-1]:
        raise ConfigError(f"{name} repeats itself: put a random value of {length}+ characters there.")


def _require_distinct(secrets: Iterable[_Secret]) -> None:
    for one, other in combinations(secrets, 2):
        if one.value == other.value and one.owner != other.owner:
            raise ConfigError(
                f"{one.name} and {other.name} hold the same secret: each needs a value of its own."
            )


def _passwords(values: Mapping[str, Any]) -> Iterator[_Secret]:
    """Those in URLs. A URL without one authenticates by other means: a socket's peer, a certificate."""
    for name in URLS:
        parts = urlsplit(values[name])
        query = parse_qs(parts.query)
        given = [unquote(parts.password or ""), *query.get("password", ())]
        user = parts.username or next(iter(query.get("user", ())), "")
        role = f"redis {user}" if name == "REDIS_URL" else f"postgres {user}"
        yield from (
            _Secret(name, password, role) for password in given if password or parts.password is not None
        )


def _credentials(settings: Sequence[Setting], values: Mapping[str, Any]) -> Iterator[_Secret]:
    """Of the platform's accounts at providers, which say themselves what may be one value."""
    for setting in settings:
        if setting.is_credential and values[setting.name]:
            yield _Secret(setting.name, values[setting.name], "providers")
