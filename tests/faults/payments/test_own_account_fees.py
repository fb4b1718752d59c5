"""On an account of its own a merchant has all of a payment already: the platform's fee is a debt, not a part of it."""

from __future__ import annotations

from dataclasses import replace

from app.services.provider_access import accounts as provider_accounts
from tests.faults.payments.facts import operator
from tests.support.gateway import OPERATOR, Gateway
from tests.support.tenants import make_merchant

# The platform's sandbox account again; to the ledger it is the merchant's own.
OWN = {"secret_key": "sk_test_sandbox_paystack"}


def test_the_fee_is_owed_and_a_full_refund_goes_through(gateway: Gateway) -> None:
    """Breaks when the fee is taken from money the platform never holds: then the first full refund lacks it."""
    created = make_merchant(gateway.app)
    merchant = replace(gateway, tenant_id=created.tenant_id, headers=created.headers)
    tenant = str(created.tenant_id)
    with gateway.app.app_context():
        provider_accounts.set_account(
            created.tenant_id, "paystack", OWN, environment="sandbox", operator=OPERATOR
        )
    operator(gateway, "fees", "set", "--tenant", tenant, "--rate", "3")
    payment_id = merchant.begin("paystack", 100)
    assert merchant.settle(payment_id)["status"] == "completed"
    direct, debt = f"tenant-direct:{tenant}:NGN", f"receivable:{tenant}:NGN"
    assert (gateway.balance(direct), gateway.balance(debt)) == (10_000, -300)
    assert merchant.refund(payment_id).status_code == 200
    merchant.settle(payment_id, until=("refunded",), hours=1)
    assert merchant.payment(payment_id)["status"] == "refunded"
    assert (gateway.balance(direct), gateway.balance(debt)) == (0, -300), "fees are not refunded"
    assert "clean" in operator(gateway, "ledger", "check")
