"""Withdrawals under four eyes: options, initiate, approve, cancel, list; and where the tenant is paid out to."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request

from app.api.tenant import views_withdrawals as views
from app.api.tenant.schemas.withdrawals import (
    MAX_LIMIT,
    ApprovedAnswer,
    CanceledAnswer,
    CancelRequest,
    DestinationAnswer,
    DestinationListAnswer,
    InitiatedAnswer,
    InitiateRequest,
    ListQuery,
    OptionsAnswer,
    OptionsQuery,
    PayoutMethodRequest,
    WithdrawalDetailAnswer,
    WithdrawalListAnswer,
)
from app.errors import (
    InsufficientBalance,
    InvalidAmount,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    UnsupportedCurrency,
    WithdrawalAltered,
    WithdrawalFailed,
)
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.idempotency import claim
from app.http.operation import OPTIONAL, operation
from app.http.pagination import filters_of, next_cursor, page_request
from app.http.responses import respond
from app.http.schema import Nothing
from app.services.withdrawals import approve, cancel, create, destinations, read, rules
from app.services.withdrawals.errors import (
    FourEyesViolation,
    NotApprovable,
    WithdrawalNotCancelable,
    WithdrawalNotFound,
)
from app.services.withdrawals.four_eyes import agreement

blueprint = Blueprint("withdrawals", __name__, description="Withdrawals under four eyes.")

REQUIRED: Final = ("amount", "method_type", "method_details")


@blueprint.route("/wallet/withdrawal-options")
@operation("withdrawals_options", errors=[UnsupportedCurrency])
@blueprint.arguments(OptionsQuery, location="query")
@blueprint.response(200, OptionsAnswer)
def withdrawal_options(query: dict[str, Any]) -> Response:
    """How you can withdraw, what it costs, and what you have."""
    return respond(views.options_view(rules.options(current_principal(), query.get("currency"))))


@blueprint.route("/wallet/withdrawals", methods=["POST"])
@operation(
    "withdrawals_initiate",
    key=OPTIONAL,
    errors=[InvalidAmount, UnsupportedCurrency, InsufficientBalance, PermissionDenied],
)
@blueprint.arguments(InitiateRequest)
@blueprint.response(201, InitiatedAnswer)
def initiate_withdrawal(body: dict[str, Any]) -> Response:
    """Request a withdrawal. The amount is held at once; another person must approve it before anything is paid."""
    _require(body, REQUIRED, "amount, method_type, and method_details are required")
    asked = create.WithdrawalRequest(
        amount=body["amount"],
        method=body["method_type"],
        details=body["method_details"],
        notes=body.get("notes") or None,
        currency=body.get("currency"),
    )
    answer = create.initiate(current_principal(), asked, claim(body, views.initiated))
    return respond(answer.body, answer.status, replayed=answer.replayed)


@blueprint.route("/wallet/withdrawals")
@operation("withdrawals_list")
@blueprint.arguments(ListQuery, location="query")
@blueprint.response(200, WithdrawalListAnswer)
def list_withdrawals(query: dict[str, Any]) -> Response:
    """Withdrawals, newest first."""
    page = read.list_withdrawals(
        current_principal(), page_request(query, max_limit=MAX_LIMIT), statuses=query.get("status", ())
    )
    cursor = next_cursor(page, lambda withdrawal: withdrawal.id, filters=filters_of(request.args))
    return respond(
        {
            "count": page.total,
            "results": [views.withdrawal_view(one) for one in page.items],
            "next_cursor": cursor,
        }
    )


@blueprint.route("/wallet/withdrawals/<uuid:transaction_id>")
@operation("withdrawals_get", errors=[WithdrawalNotFound])
@blueprint.response(200, WithdrawalDetailAnswer)
def get_withdrawal(transaction_id: uuid.UUID) -> Response:
    """A withdrawal with its destination and who approved it."""
    reader = current_principal()
    return respond(views.detail_view(agreement(approve.owned(reader, transaction_id)), reader))


@blueprint.route("/wallet/withdrawals/<uuid:transaction_id>/approve", methods=["POST"])
@operation(
    "withdrawals_approve",
    key=OPTIONAL,
    errors=[WithdrawalNotFound, FourEyesViolation, NotApprovable, WithdrawalAltered, WithdrawalFailed],
)
@blueprint.arguments(Nothing)
@blueprint.response(200, ApprovedAnswer)
def approve_withdrawal(body: dict[str, Any], transaction_id: uuid.UUID) -> Response:
    """Approve a withdrawal that another person requested; the last approval that is needed pays it out.

    It waits up to three seconds for the payout's result; until that is known the status is `processing`. 500: the payout
    failed, and the amount is available again.
    """
    answer = approve.approve(current_principal(), transaction_id, claim(body, views.approved))
    return respond(answer.body, answer.status, replayed=answer.replayed)


@blueprint.route("/wallet/withdrawals/<uuid:transaction_id>/cancel", methods=["POST"])
@operation("withdrawals_cancel", key=OPTIONAL, errors=[WithdrawalNotFound, WithdrawalNotCancelable])
@blueprint.arguments(CancelRequest)
@blueprint.response(200, CanceledAnswer)
def cancel_withdrawal(body: dict[str, Any], transaction_id: uuid.UUID) -> Response:
    """Cancel a withdrawal that is still pending: its amount is available again."""
    answer = cancel.cancel(
        current_principal(),
        transaction_id,
        reason=body.get("reason") or None,
        claim=claim(body, views.canceled),
    )
    return respond(answer.body, answer.status, replayed=answer.replayed)


@blueprint.route("/wallet/destinations")
@operation("destinations_list")
@blueprint.response(200, DestinationListAnswer)
def list_destinations() -> Response:
    """Where you have asked to be paid out to, newest first; masked."""
    found, default_id = destinations.listed(current_principal().tenant_id)
    return respond({"results": [views.destination_view(one, default_id=default_id) for one in found]})


@blueprint.route("/wallet/payout-method", methods=["PUT"])
@operation("destinations_choose")
@blueprint.arguments(PayoutMethodRequest)
@blueprint.response(200, DestinationAnswer)
def choose_payout_method(body: dict[str, Any]) -> Response:
    """Choose where you are paid out to by default. A destination that is new needs a second person before it is first used."""
    _require(body, ("method_type", "method_details"), "method_type and method_details are required")
    chosen = destinations.choose(current_principal(), body["method_type"], body["method_details"])
    return respond(views.destination_view(chosen, default_id=chosen.id))


@blueprint.route("/wallet/destinations/<uuid:destination_id>/confirm", methods=["POST"])
@operation("destinations_confirm", errors=[NotFound, FourEyesViolation])
@blueprint.arguments(Nothing)
@blueprint.response(200, DestinationAnswer)
def confirm_destination(body: dict[str, Any], destination_id: uuid.UUID) -> Response:
    """Confirm a destination that another person added."""
    member = current_principal()
    confirmed = destinations.confirm(member, destination_id)
    _, default_id = destinations.listed(member.tenant_id)
    return respond(views.destination_view(confirmed, default_id=default_id))


def _require(body: Mapping[str, Any], names: tuple[str, ...], message: str) -> None:
    """Raises InvalidRequest where one is missing or null."""
    missing = [name for name in names if body.get(name) in (None, "")]
    if missing:
        raise InvalidRequest(message, field=missing[0])
