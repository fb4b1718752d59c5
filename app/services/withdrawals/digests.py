"""Digests of what is paid out: of a destination, to recognize it; of a withdrawal, to notice that it was altered."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterator, Mapping
from typing import Final

from app.crypto import sealer
from app.json_text import json_text
from app.models.withdrawal import Withdrawal, WithdrawalApproval

PURPOSE: Final = "withdrawal approval"


def destination_digest(method: str, details: Mapping[str, str]) -> str:
    """SHA-256 of the destination, so that one that differs in anything is another one."""
    canonical = json_text({"method": method, "details": dict(sorted(details.items()))})
    return hashlib.sha256(canonical.encode()).hexdigest()


def request_digest(withdrawal: Withdrawal) -> str:
    """What was requested. Its key is ENCRYPTION_KEY's, so that whoever can write the database cannot make one."""
    return next(_digests(withdrawal, "request"))


def approval_digest(withdrawal: Withdrawal, approver_id: uuid.UUID) -> str:
    """That this user approved what was requested: it is of no use for another user."""
    return next(_digests(withdrawal, f"approval by {approver_id}"))


def is_as_requested(withdrawal: Withdrawal) -> bool:
    """Whether the withdrawal is still what its digest was made of, under any of the keys."""
    return _is_one_of(withdrawal.digest, _digests(withdrawal, "request"))


def is_approval_of(withdrawal: Withdrawal, approval: WithdrawalApproval) -> bool:
    """Whether the approval was made by its user, of what is stored now."""
    return _is_one_of(approval.digest, _digests(withdrawal, f"approval by {approval.user_id}"))


def _is_one_of(digest: str, good: Iterator[str]) -> bool:
    return any(hmac.compare_digest(one, digest) for one in good)


def _digests(withdrawal: Withdrawal, what: str) -> Iterator[str]:
    """One for each key, newest first."""
    facts = {
        "what": what,
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
