"""What an M-Pesa account is configured with, and what it can do with that."""

from __future__ import annotations

import re
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from app.providers.base import Account, AccountSetting, Capabilities, Kind, Limits, PayoutMethod
from app.providers.mpesa.values import CURRENCY, MINOR, SHORTCODE

SANDBOX_PASSKEY: Final = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
"""Published by Safaricom for its sandbox's shortcode, 174379."""

SETTINGS: Final = (
    AccountSetting(
        "consumer_key",
        "of the Daraja app",
        is_secret=True,
        is_required=True,
        published=frozenset({"sandbox-consumer-key"}),
    ),
    AccountSetting(
        "consumer_secret",
        "of the Daraja app",
        is_secret=True,
        is_required=True,
        published=frozenset({"sandbox-consumer-secret"}),
    ),
    AccountSetting(
        "shortcode", "paybill, or a till's store number", is_required=True, published=frozenset({"174379"})
    ),
    AccountSetting(
        "passkey",
        "of the shortcode",
        is_secret=True,
        is_required=True,
        published=frozenset({SANDBOX_PASSKEY}),
    ),
    AccountSetting("till", "the till number, when payments are to a till"),
    AccountSetting("initiator", "API operator's name: reversals, payouts"),
    AccountSetting("initiator_password", "its password, encrypted with the certificate", is_secret=True),
    AccountSetting("certificate", "Daraja's certificate: a path, or PEM text"),
    AccountSetting(
        "security_credential",
        "a ready security credential, instead of password and certificate",
        is_secret=True,
        published=frozenset({"c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs"}),
    ),
    AccountSetting("b2c_shortcode", "payouts to phones are from here; empty: the shortcode"),
    AccountSetting("b2b_shortcode", "payouts to tills are from here; empty: the shortcode"),
    AccountSetting(
        "till_receiver_type", "identifier type of a till: the portal says 4, clients send 2", default="4"
    ),
    AccountSetting(
        "b2c_command", "BusinessPayment, SalaryPayment or PromotionPayment", default="BusinessPayment"
    ),
    AccountSetting("max_amount", "largest payment, whole KES", default="250000"),
    AccountSetting("pull", "true: ask the pull API about lost pushes to a paybill", default="false"),
    AccountSetting("pull_method", "POST or GET: documents and clients differ", default="POST"),
    AccountSetting("callback_ips", "addresses callbacks may come from, comma separated; empty: any"),
)

DEFAULT: Final = MappingProxyType({setting.name: setting.default for setting in SETTINGS})

B2C_MINIMUM: Final = 10
"""Smallest payout to a phone, whole KES."""

PULL_REACH: Final = timedelta(hours=48)
"""How far back the pull API knows."""


_FORMS: Final = MappingProxyType(
    {
        "shortcode": (SHORTCODE, "5 to 7 digits"),
        "till": (SHORTCODE, "5 to 7 digits"),
        "b2c_shortcode": (SHORTCODE, "5 to 7 digits"),
        "b2b_shortcode": (SHORTCODE, "5 to 7 digits"),
        "till_receiver_type": (re.compile("[24]"), "4 or 2"),
        "b2c_command": (
            re.compile("BusinessPayment|SalaryPayment|PromotionPayment"),
            "BusinessPayment, SalaryPayment or PromotionPayment",
        ),
        "pull": (re.compile("true|false|1|0", re.IGNORECASE), "true or false"),
        "pull_method": (re.compile("POST|GET", re.IGNORECASE), "POST or GET"),
    }
)
"""Setting → how it must look when it is set, and the same in words."""


def require_readable(account: Account) -> None:
    """Raises ValueError for a setting Daraja would refuse with every request."""
    for name, (form, words) in _FORMS.items():
        if account[name] and not form.fullmatch(account[name]):
            raise ValueError(f"The M-Pesa setting {name} must be {words}.")


def largest_amount(account: Account) -> int:
    """`max_amount` in minor units. Raises ValueError for what is no whole number of shillings."""
    text = account["max_amount"] or DEFAULT["max_amount"]
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("The M-Pesa setting max_amount must be a whole number of KES, such as 250000.")
    return int(text) * MINOR


def has_pull(account: Account) -> bool:
    """Whether the operator has registered the shortcode for the pull API and switched it on.

    Never for a till: its rows carry no bill reference, so a push that is not found there may have been paid all the same.
    """
    return account["pull"].lower() in ("true", "1") and not account["till"]


def has_initiator(account: Account) -> bool:
    """Whether there is an API operator, which reversals and payouts need."""
    is_ready = account["security_credential"] or (account["initiator_password"] and account["certificate"])
    return bool(account["initiator"] and is_ready)


CAPABILITIES: Final = Capabilities(
    currencies=MappingProxyType({CURRENCY: Limits(MINOR, int(DEFAULT["max_amount"]) * MINOR)}),
    needs=frozenset({"phone"}),
    countries=frozenset({"KE"}),
    whole_units=True,
    inquiry_kinds=frozenset({Kind.PAYMENT}),
    is_resend_safe=False,
    can_inquire_by_reference=False,
    can_refund_partially=False,
    can_refund_repeatedly=False,
    payouts=MappingProxyType(
        {
            PayoutMethod.MPESA: frozenset({CURRENCY}),
            PayoutMethod.TILL: frozenset({CURRENCY}),
        }
    ),
    signs_callbacks=False,
    # A push is open for about a minute on the phone; the rest is for a slow network and a late callback.
    expires_after=timedelta(minutes=5),
    # Half of what the pull API remembers, so that what decides has seen the whole time since.
    horizon=PULL_REACH / 2,
    statement_reach=PULL_REACH,
)
