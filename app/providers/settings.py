"""Settings of a provider account: an adapter declares each one once, and everything else is derived from that list.

The environment's names (`<PROVIDER>_<NAME>`), the defaults of `.env.example`, and what a tenant's own account takes
come from here (app/config/providers.py, app/services/provider_access).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from app import parsing

CALLBACK_URL: Final = "callback_url"
"""The setting with the base of an account's callback URLs, where an adapter has one."""

CALLBACK_IPS: Final = "callback_ips"
"""The setting with the addresses that callbacks are taken from, where an adapter has one."""


@dataclass(frozen=True, slots=True)
class AccountSetting:
    """One credential or setting of a provider account: `consumer_key` is MPESA_CONSUMER_KEY in the environment.

    about: what it is, for `.env.example`. default: its value where none is given, of the platform's and of tenants' own
    accounts. demo: what demo and test mode use instead, where the simulator wants something. is_secret: never shown, so
    it has no default. is_required: the account is not configured without it. parse: the value in its one spelling;
    raises ValueError. prefixes: environment → how its values begin, where the provider's keys say what they are.
    published: values that everybody knows, of the provider's sandbox or of our simulators; they are no live
    credentials (environments.py).
    """

    name: str
    about: str
    is_secret: bool = False
    is_required: bool = False
    default: str = ""
    demo: str | None = None
    parse: Callable[[str], str] = str
    prefixes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    published: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials at a provider. `id` tells accounts apart (token cache, metrics); no secret.

    environment: `sandbox` or `live`. base_url: where the provider is, without a slash at the end; it is the only thing,
    besides the credentials, in which live, the provider's own sandbox and our simulator differ.
    """

    id: str
    environment: str
    base_url: str
    values: Mapping[str, str] = field(repr=False, default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> str:
        """A setting that the adapter declares. Raises KeyError for any other."""
        return self.values[name]

    def get(self, name: str) -> str:
        """A setting that only some adapters declare; an empty text where this one does not."""
        return self.values.get(name, "")


def complete(
    settings: Sequence[AccountSetting], given: Mapping[str, str], *, provider: str
) -> Mapping[str, str]:
    """Every declared setting, in its one spelling; empty ones have their default. Others in `given` are left out.

    Raises ValueError, with a sentence that names the setting and no value.
    """
    return MappingProxyType({setting.name: _value(setting, given, provider) for setting in settings})


def _value(setting: AccountSetting, given: Mapping[str, str], provider: str) -> str:
    text = given.get(setting.name) or setting.default
    try:
        return setting.parse(text) if text else ""
    except ValueError as error:
        raise ValueError(f"The {provider} setting {setting.name} cannot be read: {error}.") from None


def switch(text: str) -> str:
    """`true` or `false`. Raises ValueError."""
    return "true" if parsing.flag(text) else "false"


def whole_number(text: str) -> str:
    """A whole number above zero, of at most nine digits. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise ValueError("expected a whole number above zero, such as 250000")
    return text
