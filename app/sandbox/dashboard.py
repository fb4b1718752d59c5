"""The settings a merchant makes in each provider's dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.sandbox.control import Control

CREDENTIALS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "mpesa": {
            "consumer_key": "sandbox-consumer-key",
            "consumer_secret": "sandbox-consumer-secret",
            "shortcode": "174379",
            "passkey": "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
            "initiator": "testapi",
            "initiator_password": "Sandbox#2026",
            "security_credential": "c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs",
            "b2c_shortcode": "600984",
            "b2b_shortcode": "600984",
        },
        "stripe": {"api_key": "sk_test_sandbox", "webhook_secret": "whsec_sandbox"},
        "chapa": {
            "secret_key": "CHASECK_TEST-sandbox",
            "webhook_secret": "chapa-sandbox-hook",
            "approval_secret": "chapa-sandbox-approval",
        },
        "paystack": {"secret_key": "sk_test_sandbox_paystack"},
        "pesapal": {
            "consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW",
            "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs=",
        },
    }
)
"""Published test values, or values of the sandbox's own. They are valid in the sandbox only."""


class Dashboard:
    """The merchant's settings at each provider. /sandbox/control can change all of them."""

    def __init__(self, control: Control, *, webhook_base: str) -> None:
        self._control = control
        self._webhook_base = webhook_base.rstrip("/")

    def webhook_url(self, provider: str) -> str | None:
        """Where the provider sends webhooks; None when the merchant has set no URL."""
        changed: dict[str, str | None] = self._control.get("webhooks")
        if provider in changed:
            return changed[provider] or None
        return f"{self._webhook_base}/{provider}" if provider in CREDENTIALS else None

    def credential(self, provider: str, name: str) -> str:
        """The key, secret or number of this name. KeyError when the provider has none."""
        changed: dict[str, dict[str, str]] = self._control.get("credentials")
        values = {**CREDENTIALS.get(provider, {}), **changed.get(provider, {})}
        if name not in values:
            raise KeyError(f"{provider} has no credential {name} in the sandbox.")
        return values[name]

    def option(self, provider: str, name: str) -> str | None:
        """Any other setting ({"options": {"chapa": {"approval_url": …}}}); None when it was never set."""
        changed: dict[str, dict[str, str]] = self._control.get("options")
        return changed.get(provider, {}).get(name)
