"""Stripe: by its own page (the default), and by a PaymentIntent that is confirmed at once."""

from dataclasses import replace

from app.providers.base import Customer
from app.providers.stripe import StripeProvider
from tests.providers.contract.case import ContractCase, of_amount, set_in

UNHEARD_OF = set_in("status", to="unheard_of")
REFUNDS = {"refund": r"POST .*/v1/refunds$", "inquire_refund": r"GET .*/v1/refunds/"}
WORDS = dict.fromkeys(("charge", "inquire", "refund", "inquire_refund"), UNHEARD_OF)

LIVE = {"api_key": "sk_live_51Contract", "webhook_secret": "whsec_51Contract"}
# Stripe's refunds have no such member.
MODES = dict.fromkeys(("charge", "inquire", "cancel"), (("livemode",), True))

HOSTED = ContractCase(
    provider=StripeProvider,
    settings={"api_key": "sk_test_sandbox", "webhook_secret": "whsec_sandbox"},
    wrong_settings={"api_key": "sk_test_not_the_key"},
    currency="USD",
    customer=Customer(email="customer@example.com"),
    refused=of_amount("0.01", "USD"),
    operations={"charge": "session", "inquire": "session_get", "refund": "refund"},
    paths={
        "charge": r"POST .*/v1/checkout/sessions$",
        "inquire": r"GET .*/v1/checkout/sessions/",
        "cancel": r"POST .*/v1/checkout/sessions/.*/expire$",
        **REFUNDS,
    },
    refusal=(400, {"error": {"type": "invalid_request_error", "message": "This is not allowed."}}),
    unknown_words=WORDS,
    live_settings=LIVE,
    modes=MODES,
    # The page lets the customer try another card.
    may_try_again=True,
)
CONFIRMED = replace(
    HOSTED,
    variant="confirmed",
    settings={**HOSTED.settings, "flow": "intent"},
    metadata={"payment_method": "pm_card_visa"},
    operations={"charge": "payment_intent", "inquire": "payment_intent_get", "refund": "refund"},
    paths={
        "charge": r"POST .*/v1/payment_intents$",
        "inquire": r"GET .*/v1/payment_intents/",
        "cancel": r"POST .*/v1/payment_intents/.*/cancel$",
        **REFUNDS,
    },
    shows_page=False,
    may_try_again=False,
)
CASES = (HOSTED, CONFIRMED)
