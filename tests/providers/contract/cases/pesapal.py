"""Pesapal."""

from dataclasses import replace

from app.providers.base import Customer
from app.providers.pesapal import PesapalProvider
from tests.providers.contract.case import ContractCase, set_in

STATUS = r"GET .*/GetTransactionStatus"
UNHEARD_OF = set_in("status_code", to=99)

CASES = (
    ContractCase(
        provider=PesapalProvider,
        settings={
            "consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW",
            "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs=",
        },
        wrong_settings={"consumer_secret": "not-the-secret"},
        currency="KES",
        customer=Customer(phone="+254712345678", name="Ann Kamau"),
        refused=lambda request: replace(request, reference="not allowed!"),
        operations={"charge": "order", "inquire": "status", "refund": "refund"},
        paths={
            "token": r"POST .*/RequestToken$",
            "charge": r"POST .*/SubmitOrderRequest$",
            "inquire": STATUS,
            "cancel": r"POST .*/CancelOrder$",
            "refund": r"POST .*/RefundRequest$",
            "inquire_refund": STATUS,
        },
        may_try_again=True,
        refusal=(
            200,
            {
                "status": "500",
                "error": {"error_type": "api_error", "code": "invalid_refund_amount", "message": "No."},
            },
        ),
        own_reference=("merchant_reference",),
        unknown_words={"inquire": UNHEARD_OF, "inquire_refund": UNHEARD_OF},
        has_tokens=True,
        live_settings={"consumer_key": "key-of-the-merchant", "consumer_secret": "secret-of-the-merchant"},
        without_modes="Pesapal's answers name no environment: the host that is called decides.",
    ),
)
