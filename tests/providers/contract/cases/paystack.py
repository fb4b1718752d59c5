"""Paystack."""

from dataclasses import replace

from app.providers.base import Customer, PayoutMethod
from app.providers.paystack import Paystack
from tests.providers.contract.case import ContractCase, set_in

UNHEARD_OF = set_in("data", "status", to="unheard_of")

CASES = (
    ContractCase(
        provider=Paystack,
        settings={"secret_key": "sk_test_sandbox_paystack"},
        wrong_settings={"secret_key": "sk_test_not_the_key"},
        currency="NGN",
        customer=Customer(email="ada@example.com"),
        refused=lambda request: replace(request, customer=Customer(email="no-address")),
        operations={
            "charge": "initialize",
            "inquire": "verify",
            "refund": "refund",
            "pay_out": "transfer",
            "inquire_payout": "transfer_verify",
        },
        paths={
            "charge": r"POST .*/transaction/initialize$",
            "inquire": r"GET .*/transaction/verify/",
            "refund": r"POST .*/refund$",
            "inquire_refund": r"GET .*/refund/",
            "pay_out": r"POST .*/transfer$",
            "inquire_payout": r"GET .*/transfer/verify/",
        },
        may_try_again=True,
        refusal=(400, {"status": False, "message": "This is not allowed"}),
        own_reference=("data", "reference"),
        live_settings={"secret_key": "sk_live_51contract"},
        # The answer that opens the payment page has no such member.
        modes=dict.fromkeys(
            ("inquire", "refund", "inquire_refund", "pay_out", "inquire_payout"), (("data", "domain"), "live")
        ),
        unknown_words=dict.fromkeys(
            ("inquire", "refund", "inquire_refund", "pay_out", "inquire_payout"), UNHEARD_OF
        ),
        destinations={
            (PayoutMethod.MPESA, "KES"): {"phone_number": "254712345678"},
            (PayoutMethod.TILL, "KES"): {"till_number": "247247"},
            **{
                (PayoutMethod.BANK, currency): {
                    "account_number": "0001234567",
                    "bank_code": bank,
                    "account_name": "Ada Obi",
                }
                for currency, bank in (("NGN", "058"), ("KES", "68"), ("GHS", "030100"), ("ZAR", "632005"))
            },
        },
    ),
)
