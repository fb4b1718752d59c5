"""What a setting is: one environment variable, its default, and how its text is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

MODES: Final = ("demo", "test", "production")


def mode_of(environ: Mapping[str, str]) -> str:
    """GATEWAY_ENV. There is no default: a production that forgot it would be a demo, which anybody may enter.

    Raises ConfigError.
    """
    mode = environ.get("GATEWAY_ENV", "").strip()
    if not mode:
        raise ConfigError(
            "GATEWAY_ENV is not set: set it to production, or to demo for a gateway with public passwords "
            "(`make run` does that; beside it, `set -a; . var/run.env`)."
        )
    if mode not in MODES:
        raise ConfigError(f"GATEWAY_ENV cannot be read: expected {' or '.join(MODES)}.")
    return mode


class ConfigError(Exception):
    """The environment cannot be served with. The message names the setting and says what to do."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. `default` serves demo and test; `production` replaces it there (None: same).

    secret: the gateway's own, required in every mode. is_credential: a provider's secret.
    """

    name: str
    about: str
    default: str = ""
    production: str | None = None
    secret: bool = False
    is_credential: bool = False
    parse: Callable[[str], Any] = str

    def read(self, environ: Mapping[str, str], mode: str) -> Any:
        """Its value in this environment. Raises ConfigError."""
        is_other = mode == "production" and self.production is not None
        text = environ.get(self.name, "").strip() or (self.production if is_other else self.default)
        try:
            return self.parse(_printable(text or ""))
        except ValueError as error:
            raise ConfigError(f"{self.name} cannot be read: {error}.") from error


def _printable(text: str) -> str:
    """`text`, which may have several lines (a certificate), but nothing that is not text. Raises ValueError."""
    if any(not character.isprintable() and character not in "\r\n\t" for character in text):
        raise ValueError("it has characters that are not text")
    return text
