"""What a Chapa account is configured with, and what Chapa can do."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Final

from app.parsing import one_of
from app.providers.base import AccountSetting, Capabilities, Kind, Limits, PayoutMethod

KEYS: Final = MappingProxyType(
    {
        # CHASECK_LIVE- is in no document of Chapa's, but in many programs that use it; it can mean nothing else.
        "live": ("CHASECK-", "CHASECK_LIVE-"),
        "sandbox": ("CHASECK_TEST-",),
    }
)
"""How Chapa's secret keys begin."""

CAPABILITIES: Final = Capabilities(
    currencies=MappingProxyType({"ETB": Limits(), "USD": Limits()}),
    needs=frozenset(),
    countries=frozenset({"ET"}),
    whole_units=False,
    has_payment_page=True,
    inquiry_kinds=frozenset({Kind.PAYMENT, Kind.REFUND, Kind.PAYOUT}),
    is_resend_safe=True,
    can_inquire_by_reference=True,
    can_refund=True,
    can_refund_partially=True,
    can_refund_repeatedly=True,
    can_cancel=True,
    payouts=MappingProxyType({PayoutMethod.BANK: frozenset({"ETB"})}),
    signs_callbacks=True,
    has_statement=False,
    statement_reach=timedelta(0),
    lists_refunds=False,
    expires_after=timedelta(hours=24),
    # Chapa sends a webhook at most ten times, ten minutes apart, and says that it does so within 72 hours.
    horizon=timedelta(hours=72),
    costs=MappingProxyType({"ETB": (25_000, 0), "USD": (35_000, 0)}),
    moves_real_money=True,
)

SETTINGS: Final = (
    AccountSetting(
        "secret_key",
        "secret API key, CHASECK_TEST-… or CHASECK-…",
        is_secret=True,
        is_required=True,
        demo="CHASECK_TEST-sandbox",
        prefixes=KEYS,
    ),
    AccountSetting(
        "webhook_secret",
        "secret hash of the dashboard's webhook page",
        is_secret=True,
        is_required=True,
        demo="chapa-sandbox-hook",
        published=frozenset({"chapa-sandbox-hook"}),
    ),
    AccountSetting(
        "approval_secret",
        "secret of the transfer approval URL, if one is set",
        is_secret=True,
        demo="chapa-sandbox-approval",
        published=frozenset({"chapa-sandbox-approval"}),
    ),
    AccountSetting(
        "refund_by",
        "what names a payment to be refunded: reference (Chapa's) or tx_ref",
        default="reference",
        parse=one_of("reference", "tx_ref"),
    ),
    AccountSetting(
        "refund_encoding",
        "how a refund is sent: form, as every sample of Chapa's has it, or json",
        default="form",
        parse=one_of("form", "json"),
    ),
    AccountSetting("title", "title of the payment page, at most 16 characters", default="Payment"),
)
