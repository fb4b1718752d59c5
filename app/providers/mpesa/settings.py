"""What an M-Pesa account is configured with, and what it can do with that."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Final

from app.parsing import networks, one_of, web_address
from app.providers.base import Account, AccountSetting, Capabilities, Kind, Limits, PayoutMethod
from app.providers.mpesa.values import CURRENCY, MINOR, SHORTCODE
from app.providers.settings import CALLBACK_IPS, CALLBACK_URL, switch, whole_number

LARGEST_AMOUNT: Final = "250000"
"""Safaricom's limit of one transaction, whole KES."""

SANDBOX_PASSKEY: Final = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
"""Published by Safaricom for its sandbox's shortcode, 174379."""


def _shortcode(text: str) -> str:
    """Raises ValueError for what Daraja would refuse with every request."""
    if not SHORTCODE.fullmatch(text):
        raise ValueError("expected 5 to 7 digits")
    return text


SETTINGS: Final = (
    AccountSetting(
        "consumer_key",
        "consumer key of the Daraja app",
        is_secret=True,
        is_required=True,
        demo="sandbox-consumer-key",
        published=frozenset({"sandbox-consumer-key"}),
    ),
    AccountSetting(
        "consumer_secret",
        "consumer secret of the Daraja app",
        is_secret=True,
        is_required=True,
        demo="sandbox-consumer-secret",
        published=frozenset({"sandbox-consumer-secret"}),
    ),
    AccountSetting(
        "shortcode",
        "paybill, or a till's store number",
        is_required=True,
        demo="174379",
        parse=_shortcode,
        published=frozenset({"174379"}),
    ),
    AccountSetting(
        "passkey",
        "passkey of the shortcode",
        is_secret=True,
        is_required=True,
        demo=SANDBOX_PASSKEY,
        published=frozenset({SANDBOX_PASSKEY}),
    ),
    AccountSetting("till", "the till number, when payments are to a till", parse=_shortcode),
    AccountSetting(
        CALLBACK_URL,
        "base of callback URLs; empty: PUBLIC_URL/api/v1/webhooks/mpesa",
        parse=web_address,
    ),
    AccountSetting(
        CALLBACK_IPS, "addresses callbacks may come from, comma separated; empty: any", parse=networks
    ),
    AccountSetting("initiator", "API operator's name: reversals, payouts", demo="testapi"),
    AccountSetting("initiator_password", "its password, encrypted with the certificate", is_secret=True),
    AccountSetting("certificate", "Daraja's certificate: a path, or PEM text"),
    AccountSetting(
        "security_credential",
        "a ready security credential, instead of password and certificate",
        is_secret=True,
        demo="c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs",
        published=frozenset({"c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs"}),
    ),
    AccountSetting(
        "b2c_shortcode",
        "payouts to phones are from here; empty: the shortcode",
        demo="600984",
        parse=_shortcode,
    ),
    AccountSetting(
        "b2b_shortcode",
        "payouts to tills are from here; empty: the shortcode",
        demo="600984",
        parse=_shortcode,
    ),
    AccountSetting(
        "b2c_command",
        "BusinessPayment, SalaryPayment or PromotionPayment",
        default="BusinessPayment",
        parse=one_of("BusinessPayment", "SalaryPayment", "PromotionPayment"),
    ),
    AccountSetting(
        "till_receiver_type",
        "identifier type of a till: the portal says 4, clients send 2",
        default="4",
        parse=one_of("4", "2"),
    ),
    AccountSetting(
        "max_amount", "largest payment and payout, whole KES", default=LARGEST_AMOUNT, parse=whole_number
    ),
    AccountSetting(
        "pull",
        "whether the pull API is asked about lost pushes to a paybill: true or false",
        default="false",
        parse=switch,
    ),
    AccountSetting(
        "pull_method",
        "POST or GET: documents and clients differ",
        default="POST",
        parse=one_of("POST", "GET"),
    ),
)

B2C_MINIMUM: Final = 10
"""Smallest payout to a phone, whole KES."""

PULL_REACH: Final = timedelta(hours=48)
"""How far back the pull API knows."""


def largest_amount(account: Account) -> int:
    """`max_amount` in minor units."""
    return int(account["max_amount"]) * MINOR


def has_pull(account: Account) -> bool:
    """Whether the operator has registered the shortcode for the pull API and switched it on.

    Never for a till: its rows carry no bill reference, so a push that is not found there may have been paid all the same.
    """
    return account["pull"] == "true" and not account["till"]


def has_initiator(account: Account) -> bool:
    """Whether there is an API operator, which reversals and payouts need."""
    is_ready = account["security_credential"] or (account["initiator_password"] and account["certificate"])
    return bool(account["initiator"] and is_ready)


CAPABILITIES: Final = Capabilities(
    currencies=MappingProxyType({CURRENCY: Limits(MINOR, int(LARGEST_AMOUNT) * MINOR)}),
    needs=frozenset({"phone"}),
    countries=frozenset({"KE"}),
    whole_units=True,
    has_payment_page=False,
    inquiry_kinds=frozenset({Kind.PAYMENT}),
    is_resend_safe=False,
    can_inquire_by_reference=False,
    can_refund=True,
    can_refund_partially=False,
    can_refund_repeatedly=False,
    can_cancel=False,
    payouts=MappingProxyType(
        {
            PayoutMethod.MPESA: frozenset({CURRENCY}),
            PayoutMethod.TILL: frozenset({CURRENCY}),
        }
    ),
    signs_callbacks=False,
    has_statement=False,
    statement_reach=PULL_REACH,
    lists_refunds=False,
    # A push is open for about a minute on the phone; the rest is for a slow network and a late callback.
    expires_after=timedelta(minutes=5),
    # Half of what the pull API remembers, so that what decides has seen the whole time since.
    horizon=PULL_REACH / 2,
    costs=MappingProxyType({CURRENCY: (5_500, 0)}),
    moves_real_money=True,
)
"""What M-Pesa can do at most; an account without an API operator or the pull API can do less."""
