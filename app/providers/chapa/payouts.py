"""Where a Chapa transfer goes: the destination as members of its body."""

from __future__ import annotations

from typing import Any, Final

from app.providers.base import PayoutMethod, PayoutRequest
from app.providers.errors import NotSupported, RequestRejected

_DESTINATION: Final = ("account_name", "account_number", "bank_code")


def transfer_body(request: PayoutRequest) -> dict[str, Any]:
    """Raises NotSupported for another method or currency, RequestRejected when the destination lacks what Chapa needs."""
    if request.method is not PayoutMethod.BANK or request.amount.currency != "ETB":
        raise NotSupported("Chapa pays out ETB to bank accounts and wallets only.", code="method")
    destination = {name: request.destination.get(name, "").strip() for name in _DESTINATION}
    for name, value in destination.items():
        if not value:
            raise RequestRejected(f"Chapa needs the destination's {name}.", code=name)
    if not (destination["bank_code"].isascii() and destination["bank_code"].isdigit()):
        raise RequestRejected("Chapa's bank codes are numbers (GET /banks).", code="bank_code")
    return {
        **destination,
        "bank_code": int(destination["bank_code"]),
        "amount": str(request.amount),
        "currency": request.amount.currency,
        "reference": request.reference,
    }
