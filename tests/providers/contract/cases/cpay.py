"""CPay: in this process, with its own triggers; whoever has the secret plays its callbacks."""

import json

from app.providers.base import Callback, ChargeRequest, Customer, Provider
from app.providers.cpay import CPayProvider
from tests.providers.contract.case import ContractCase, of_amount


def completed(provider: Provider, request: ChargeRequest) -> Callback:
    assert isinstance(provider, CPayProvider)
    body = json.dumps(
        {
            "event": "payment.completed",
            "event_id": f"evt-{request.reference}",
            "reference": request.reference,
            "status": "completed",
            "amount": str(request.amount),
            "currency": request.amount.currency,
        }
    ).encode()
    return Callback("POST", {"x-cpay-signature": provider.sign(body)}, {}, body)


CASES = (
    ContractCase(
        provider=CPayProvider,
        settings={"api_key": "cpay-sandbox-key", "api_secret": "cpay-sandbox-secret"},
        currency="USD",
        customer=Customer(),
        refused=of_amount("7123", "USD"),
        amounts={
            "drop": "7001",
            "after": "7002",
            "before": "7003",
            "wrong_amount": "7009",
            "rate_limit": "7010",
            "insufficient_funds": "7101",
            "declined": "7104",
            "timed_out": "7103",
            "unreachable": "7120",
            "wrong_credentials": "7121",
            "refund_drop": "7221",
            "refund_before": "7223",
        },
        callback=completed,
        remembers=False,
        without_modes="CPay is a part of the gateway: whatever it answers, no money moved.",
    ),
)
