"""Digests of what is paid out: of a destination, to recognize it; of a withdrawal, to notice that it was altered."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Final

from app.crypto import sealer
from app.json_text import json_text
from app.models.withdrawal import Withdrawal

PURPOSE: Final = "withdrawal approval"


def destination_digest(method: str, details: Mapping[str, str]) -> str:
    """SHA-256 of the destination, so that one that differs in anything is another one."""
    canonical = json_text({"method": method, "details": dict(sorted(details.items()))})
    return hashlib.sha256(canonical.encode()).hexdigest()


def approval_digest(withdrawal: Withdrawal) -> str:
    """What an approver has approved. Its key is ENCRYPTION_KEY's, so that whoever can write the database cannot make one."""
    return next(_digests(withdrawal))


def is_approved_as_is(withdrawal: Withdrawal, digest: str) -> bool:
    """Whether the withdrawal is still what this digest was made of, under any of the keys."""
    return any(hmac.compare_digest(one, digest) for one in _digests(withdrawal))


def _digests(withdrawal: Withdrawal) -> Iterator[str]:
    """One for each key, newest first."""
    facts = {
        "tenant": str(withdrawal.tenant_id),
        "amount": withdrawal.amount,
        "fee": withdrawal.fee,
        "currency": withdrawal.currency,
        "destination": destination_digest(withdrawal.method, withdrawal.destination),
        "initiated_by": str(withdrawal.initiated_by),
        "required_approvals": withdrawal.required_approvals,
    }
    for key in sealer().derive(purpose=PURPOSE, row_id=withdrawal.id):
        yield hmac.digest(key.encode(), json_text(facts).encode(), hashlib.sha256).hex()
