"""Chapa."""

from app.providers.base import Customer, PayoutMethod
from app.providers.chapa import Chapa
from tests.providers.contract.case import ContractCase, of_amount, set_in

UNHEARD_OF = set_in("data", "status", to="unheard_of")

CASES = (
    ContractCase(
        provider=Chapa,
        settings={
            "secret_key": "CHASECK_TEST-sandbox",
            "webhook_secret": "chapa-sandbox-hook",
            "approval_secret": "chapa-sandbox-approval",
        },
        wrong_settings={"secret_key": "CHASECK_TEST-not-the-key"},
        currency="ETB",
        customer=Customer(phone="+251911223344", email="abebe@example.com", name="Abebe Kebede"),
        refused=of_amount("100", "KES"),
        operations={
            "charge": "initialize",
            "inquire": "verify",
            "cancel": "cancel",
            "refund": "refund",
            "pay_out": "transfer",
            "inquire_payout": "transfer_verify",
        },
        paths={
            "charge": r"POST .*/transaction/initialize$",
            "inquire": r"GET .*/transaction/verify/",
            "cancel": r"PUT .*/transaction/cancel/",
            "refund": r"POST .*/refund/",
            "inquire_refund": r"GET .*/refund/.*/verify$",
            "pay_out": r"POST .*/transfers$",
            "inquire_payout": r"GET .*/transfers/verify/",
        },
        may_try_again=True,
        refusal=(400, {"message": "This is not allowed", "status": "failed", "data": None}),
        own_reference=("data", "tx_ref"),
        live_settings={
            "secret_key": "CHASECK-51contract",
            "webhook_secret": "hash-of-the-dashboard",
            "approval_secret": "of-the-approval-url",
        },
        modes=dict.fromkeys(("inquire", "inquire_payout"), (("data", "mode"), "live")),
        may_omit_mode=True,
        unknown_words=dict.fromkeys(("inquire", "refund", "inquire_refund", "inquire_payout"), UNHEARD_OF),
        destinations={
            (PayoutMethod.BANK, "ETB"): {
                "account_name": "Abebe Kebede",
                "account_number": "1000123456789",
                "bank_code": "946",
            },
        },
    ),
)
