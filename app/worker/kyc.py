"""Unattended verification, where KYC_AUTO_VERIFY_S is set (demo and tests)."""

from __future__ import annotations

from typing import Any

from app.services.kyc import verification as kyc


def verify_kyc_request(payload: dict[str, Any]) -> None:
    """Job kind `kyc.verify`. Payload: request_id (`kyc_req_…`). Running it again changes nothing."""
    kyc.verify_unattended(payload["request_id"])
