"""The merchant's approval of a transfer, requested only when the dashboard has an approval URL."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import requests
import structlog

from app.sandbox.chapa.callbacks import sign
from app.sandbox.chapa.replies import amount_text
from app.sandbox.core import Sandbox

TIMEOUT_S: Final = 10.0

log = structlog.get_logger(__name__)


def is_approved(sandbox: Sandbox, transfer: dict[str, Any]) -> bool:
    """Whether no approval is needed, or the merchant's server answered 200. No answer means no."""
    url = sandbox.dashboard.option("chapa", "approval_url")
    if not url:
        return True
    body = json.dumps(approval_request(transfer), separators=(",", ":")).encode()
    secret = sandbox.dashboard.credential("chapa", "approval_secret")
    headers = {"Content-Type": "application/json", "Chapa-Signature": sign(secret, body)}
    try:
        answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        log.warning("transfer_not_approved", reference=transfer["reference"], error=type(error).__name__)
        return False
    return answer.status_code == 200


def approval_request(transfer: dict[str, Any]) -> dict[str, Any]:
    """The body of the request for approval."""
    return {
        "amount": amount_text(Decimal(transfer["amount"])),
        "reference": transfer["reference"],
        "bank": transfer["bank_name"],
        "account_name": transfer["account_name"],
        "account_number": transfer["account_number"],
    }
