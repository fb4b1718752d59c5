"""Live money or test money: what an account's credentials, its address and a provider's answers say of it.

An account's environment is a setting, and settings can be wrong. Where its credentials, the host that is called or an answer
contradict it, nothing that the account reports is credited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from app.providers.errors import WrongEnvironment
from app.providers.settings import Account, AccountSetting

LIVE: Final = "live"
SANDBOX: Final = "sandbox"

UNREADABLE: Final = "unreadable"
"""An answer names its environment by an unknown word."""

BASE_URL: Final = "base_url"
"""The setting that a contradiction names when it is not one of the adapter's."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A setting that does not fit the account's environment. why: what it is, to be read after its name; no secret."""

    setting: str
    why: str


class ContradictoryAccount(ValueError):
    """The account's settings contradict its environment."""

    def __init__(self, found: Contradiction, environment: str) -> None:
        self.found = found
        super().__init__(f"{found.setting} {found.why}, and the environment is {environment}.")


def contradiction(
    settings: Sequence[AccountSetting], environment: str, values: Mapping[str, str]
) -> Contradiction | None:
    """The first setting that contradicts the environment; None: as far as they show it, they agree."""
    for setting in settings:
        why = _objection(setting, environment, values.get(setting.name, ""))
        if why is not None:
            return Contradiction(setting.name, why)
    return None


def is_of_another(base_urls: Mapping[str, str], environment: str, base_url: str) -> bool:
    """Whether the host is the provider's host of another environment, and not of this one."""
    return _host(base_url) in _hosts_of_others(base_urls, environment)


def _objection(setting: AccountSetting, environment: str, value: str) -> str | None:
    kind = _environment_of(setting, value)
    if not value or kind == environment:
        return None
    if kind is not None:
        return f"is a {'live' if kind == LIVE else 'test'} credential"
    if environment == LIVE and setting.prefixes:
        # A key of an unknown kind may be a test key.
        return f"does not begin with {' or '.join(setting.prefixes.get(LIVE, ()))}"
    return None


def _environment_of(setting: AccountSetting, value: str) -> str | None:
    """Which environment a credential belongs to; None when its text does not show it."""
    if value in setting.published:
        return SANDBOX
    return next((env for env, beginnings in setting.prefixes.items() if value.startswith(beginnings)), None)


def _hosts_of_others(base_urls: Mapping[str, str], environment: str) -> set[str]:
    hosts = {name: _host(url) for name, url in base_urls.items()}
    return {host for name, host in hosts.items() if name != environment and host != hosts.get(environment)}


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def objection(account: Account, reported: str | None) -> str | None:
    """Why a message is not of the account's environment, as a sentence; None: it may be.

    reported: LIVE, SANDBOX or UNREADABLE, as the message says; None where it does not say.
    """
    if reported in (None, account.environment):
        return None
    kind = {LIVE: "about live money", SANDBOX: "about test money"}.get(
        reported or "", "of no known environment"
    )
    return f"This is {kind}, and the account's environment is {account.environment}."


def require_same(
    account: Account,
    reported: str | None,
    *,
    is_always_reported: bool,
    response: Mapping[str, Any] | None = None,
) -> None:
    """Raises WrongEnvironment for an answer that is not of the account's environment, whatever else it says.

    is_always_reported: the provider's specification promises the member, so a live answer without it proves nothing.
    """
    why = objection(account, reported)
    if why is None and reported is None and is_always_reported and account.environment == LIVE:
        why = "The answer does not say that it is about live money."
    if why is not None:
        raise WrongEnvironment(why, response=response)
