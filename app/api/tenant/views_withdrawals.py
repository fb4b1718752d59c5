"""Withdrawals as document 002 shows them."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

from app import ids
from app.clock import iso_z
from app.models.member import TenantScope
from app.models.withdrawal import Payout, PayoutDestination, Withdrawal, WithdrawalState
from app.money import Money
from app.principal import Principal
from app.services.idempotency_service import Answer
from app.services.withdrawals.four_eyes import Agreement, is_young
from app.services.withdrawals.masking import masked
from app.services.withdrawals.rules import Options

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_FAILED = "Failed to process withdrawal"


def options_view(options: Options) -> dict[str, Any]:
    chosen = options.chosen
    return {
        "available_methods": [method.value for method in options.methods],
        "configured_method": chosen and {"method_type": chosen.method, "details": chosen.details},
        "minimum_amounts": {method.value: one.as_number() for method, one in options.minimums.items()},
        "fees": {method.value: one.as_number() for method, one in options.fees.items()},
        "wallet_balance": options.balance.balance.as_number(),
        "available_balance": options.balance.available.as_number(),
        "currency": options.currency,
    }


def initiated(agreed: Agreement) -> Answer:
    withdrawal = agreed.rows.withdrawal
    body = {
        "message": "Withdrawal request initiated successfully",
        "transaction_id": str(withdrawal.id),
        "status": withdrawal.status,
        **_amounts(withdrawal),
        "requires_approval": True,
        "required_approvals": agreed.required,
    }
    return Answer(body, 201)


def approved(agreed: Agreement) -> Answer:
    """Document 002's answer; 500 for a payout that has failed, as it says."""
    withdrawal, payout = agreed.rows.withdrawal, agreed.rows.payout
    if withdrawal.status == WithdrawalState.FAILED:
        details = {
            "message": withdrawal.failure_reason,
            "code": withdrawal.failure_code,
            "transaction_id": str(withdrawal.id),
            "status": withdrawal.status,
        }
        return Answer({"error": _FAILED, "details": details}, 500)
    missing = agreed.required - len(agreed.approvals)
    body = {
        "success": True,
        "message": f"Approval recorded; {missing} more needed"
        if payout is None
        else "Withdrawal approved and processed successfully",
        "transaction_id": str(withdrawal.id),
        "status": withdrawal.status,
        **_amounts(withdrawal),
        "approvals": len(agreed.approvals),
        "required_approvals": agreed.required,
        "provider_response": None if payout is None else _provider_response(payout),
    }
    return Answer(body)


def canceled(withdrawal: Withdrawal) -> Answer:
    body = {
        "message": "Withdrawal canceled successfully",
        "transaction_id": str(withdrawal.id),
        "status": withdrawal.status,
    }
    return Answer(body)


def withdrawal_view(withdrawal: Withdrawal) -> dict[str, Any]:
    return {
        "id": str(withdrawal.id),
        **_amounts(withdrawal),
        "status": withdrawal.status,
        "method_type": withdrawal.method,
        "initiated_by": _user(withdrawal.initiated_by),
        "approved_by": _user(withdrawal.approved_by),
        "canceled_by": _user(withdrawal.canceled_by),
        "failure_code": withdrawal.failure_code,
        "failure_reason": withdrawal.failure_reason,
        "created_at": iso_z(withdrawal.created_at),
        "approved_at": _time(withdrawal.approved_at),
        "completed_at": _time(withdrawal.completed_at),
        "notes": withdrawal.notes,
    }


def detail_view(agreed: Agreement, reader: Principal) -> dict[str, Any]:
    withdrawal, payout = agreed.rows.withdrawal, agreed.rows.payout
    may_see = TenantScope.FINANCE_WITHDRAW_APPROVE in reader.scopes
    return withdrawal_view(withdrawal) | {
        "method_details": withdrawal.destination if may_see else masked(withdrawal.destination),
        "destination_id": str(withdrawal.destination_id),
        "cancel_reason": withdrawal.cancel_reason,
        "required_approvals": agreed.required,
        "approvals": [
            {"user_id": _user(one.user_id), "approved_at": iso_z(one.created_at)}
            for one in agreed.rows.approvals
        ],
        "provider": payout.provider if payout else None,
        "receipt": payout.receipt if payout else None,
    }


def destination_view(destination: PayoutDestination, *, default_id: uuid.UUID | None) -> dict[str, Any]:
    return {
        "id": str(destination.id),
        "method_type": destination.method,
        "details": masked(destination.details),
        "added_by": _user(destination.added_by),
        "added_at": iso_z(destination.added_at),
        "confirmed_by": _user(destination.confirmed_by),
        "confirmed_at": _time(destination.confirmed_at),
        "needs_confirmation": is_young(destination) and destination.confirmed_at is None,
        "is_default": destination.id == default_id,
    }


def _amounts(withdrawal: Withdrawal) -> dict[str, Any]:
    currency = withdrawal.currency
    return {
        "amount": Money(withdrawal.amount, currency).as_number(),
        "fee": Money(withdrawal.fee, currency).as_number(),
        "net_amount": Money(withdrawal.net, currency).as_number(),
        "currency": currency,
    }


def _provider_response(payout: Payout) -> dict[str, Any]:
    """The provider's own words for its ids: `ConversationID` becomes `conversation_id`."""
    found = {_snake(name): value for name, value in (payout.provider_response or {}).items()}
    return {"provider": payout.provider, "reference": payout.reference, **found}


def _snake(name: str) -> str:
    return _WORD_BEGINS.sub("_", name.replace("ID", "Id")).lower()


def _user(user_id: uuid.UUID | None) -> str | None:
    return None if user_id is None else ids.public(ids.USER, user_id)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else iso_z(moment)
