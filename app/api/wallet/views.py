"""Presenters of the Wallet API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from app import ids
from app.api.wallet.schemas.kyc import NOT_STARTED
from app.clock import iso_z
from app.models.account import AccountBalance
from app.models.kyc import KycDocument, KycRequest, KycStatus
from app.money import Money
from app.services.idempotency_service import Answer
from app.services.kyc import verification as kyc
from app.services.kyc.verification import KycOverview
from app.services.wallets import wallets
from app.services.wallets.direct_funding import Receipt

NEXT_STEPS: Final[Mapping[KycStatus | None, list[str]]] = MappingProxyType(
    {
        None: ["Submit your details: POST /kyc/submit."],
        KycStatus.PENDING: ["Upload a photo or scan of your identity document: POST /kyc/documents."],
        KycStatus.UNDER_REVIEW: [
            "Wait for the review; upload further documents if you have been asked for them."
        ],
        KycStatus.VERIFIED: [],
        KycStatus.REJECTED: [
            "Correct what the reason names and submit your details again: POST /kyc/submit."
        ],
    }
)
"""Status of a verification (None: not started) → what the user may do."""


def wallet_view(wallet: AccountBalance) -> dict[str, Any]:
    """A wallet as its owner sees it. Amounts are decimal strings with the currency's decimals."""
    return {
        "id": wallet.public_id,
        "user_id": ids.public(ids.USER, wallet.owner_id) if wallet.owner_id else None,
        "currency": wallet.currency,
        "balance": str(Money(wallet.balance, wallet.currency)),
        "available_balance": str(wallets.available(wallet)),
        "type": wallet.wallet_type,
        "name": wallet.name,
        "status": "frozen" if wallet.frozen else "active",
        "created_at": iso_z(wallet.created_at),
    }


def wallet_opened(wallet: AccountBalance) -> Answer:
    return Answer(wallet_view(wallet), status=201)


def receipt(result: Receipt) -> Answer:
    """Of a deposit or withdrawal."""
    funding, wallet = result.funding, result.wallet
    body = {
        "transaction_id": result.transaction_id,
        "status": "completed",
        "type": funding.kind,
        "amount": str(Money(funding.amount, funding.currency)),
        "currency": funding.currency,
        "new_balance": str(Money(wallet.balance, wallet.currency)),
        "available_balance": str(wallets.available(wallet)),
        "wallet_id": wallet.public_id,
        "reference": funding.reference,
        "description": funding.description,
        "created_at": iso_z(funding.created_at),
    }
    return Answer(body)


def kyc_submitted(request: KycRequest) -> dict[str, Any]:
    return {
        "request_id": kyc.public_id(request),
        "status": request.status,
        "submitted_at": iso_z(request.submitted_at),
        "message": "Your details have been received.",
        "next_steps": NEXT_STEPS[request.status],
    }


def kyc_document_stored(document: KycDocument, status: KycStatus) -> dict[str, Any]:
    """`status`: the request's, after the document was stored."""
    return {
        "document_id": ids.public(ids.KYC_DOCUMENT, document.id),
        "request_id": ids.public(ids.KYC_REQUEST, document.request_id),
        "document_type": document.document_type,
        "media_type": document.media_type,
        "size": document.size,
        "status": status,
        "uploaded_at": iso_z(document.uploaded_at),
        "message": "The document has been received.",
    }


def kyc_overview(overview: KycOverview) -> dict[str, Any]:
    """`status` is `not_started` without a request; limits are US dollars as decimal strings."""
    request, limits = overview.request, overview.limits
    status = request.status if request else None
    verified_at = request.decided_at if request and status is KycStatus.VERIFIED else None
    return {
        "status": status or NOT_STARTED,
        "request_id": kyc.public_id(request) if request else None,
        "submitted_at": iso_z(request.submitted_at) if request else None,
        "verified_at": iso_z(verified_at) if verified_at else None,
        "verification_level": f"tier_{overview.tier}",
        "limits": {
            "daily_transaction": str(Money(limits.daily_usd_minor, "USD")),
            "monthly_transaction": str(Money(limits.monthly_usd_minor, "USD")),
            "currency": "USD",
        },
        "rejection_reason": request.rejection_reason if request else None,
        "next_steps": NEXT_STEPS[status],
    }
