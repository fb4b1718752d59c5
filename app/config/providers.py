"""Settings about providers: the gateway's own, and those of the platform's account at each provider.

The latter come from the adapters, which declare them once (app/providers/settings.py): `<PROVIDER>_<NAME>`. Demo and
test mode have the simulators' credentials, which open nothing anywhere else; production has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.config.setting import Setting
from app.parsing import flag, one_of, page_address, positive_seconds, web_address, whole
from app.providers import PROVIDERS
from app.providers.base import Provider
from app.providers.settings import AccountSetting

MAX_TIMEOUT_S: Final = 120

GENERAL: Final = (
    Setting(
        "PUBLIC_URL",
        "where providers and customers reach this gateway",
        "http://127.0.0.1:5000",
        "",
        parse=web_address,
    ),
    Setting(
        "PAYMENT_RETURN_URL",
        "where customers go after a payment page; empty: a page of the gateway",
        parse=page_address,
    ),
    Setting(
        "PROVIDER_TIMEOUT_S",
        "longest wait for a provider's answer, seconds",
        "20",
        parse=positive_seconds(MAX_TIMEOUT_S),
    ),
    Setting(
        "PROVIDER_CALLS_AT_ONCE",
        "calls to one provider at once in a process; 0: a quarter of WEB_THREADS",
        "0",
        parse=whole(0, 1000),
    ),
    Setting(
        "ALLOW_TEST_PROVIDERS",
        "in production, too, take payments through sandboxes and the mock provider",
        "false",
        parse=flag,
    ),
)


def of_provider(adapter: type[Provider]) -> Iterator[Setting]:
    """The environment's settings of the platform's account there."""
    prefix, is_real = adapter.name.upper(), adapter.capabilities.moves_real_money
    about = (
        f"sandbox or live: which {adapter.title}"
        if is_real
        else "sandbox or live; a mock moves no real money"
    )
    yield Setting(
        f"{prefix}_ENV", about, "sandbox", "live" if is_real else None, parse=one_of("sandbox", "live")
    )
    if is_real:
        yield Setting(
            f"{prefix}_BASE_URL",
            f"where {adapter.title} is; empty: by {prefix}_ENV, in demo the simulator",
            parse=web_address,
        )
    for setting in adapter.settings:
        yield _of_account(prefix, setting)


def _of_account(prefix: str, setting: AccountSetting) -> Setting:
    """As text: the adapter reads it, so that a setting that cannot be read switches off that provider alone."""
    demo = setting.default if setting.demo is None else setting.demo
    name = f"{prefix}_{setting.name.upper()}"
    return Setting(name, setting.about, demo, setting.default, is_credential=setting.is_secret)


PROVIDER_SETTINGS: Final = (
    *GENERAL,
    *(setting for adapter in PROVIDERS.values() for setting in of_provider(adapter)),
)
