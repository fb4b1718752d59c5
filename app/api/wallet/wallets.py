"""Wallets: opening, balances, history, deposits and withdrawals (`/accounts…`)."""

from __future__ import annotations

from typing import Any, Final

from flask import Response

from app.api.wallet.schemas.wallets import (
    CashReceipt,
    DepositRequest,
    HistoryAnswer,
    HistoryQuery,
    WalletAnswer,
    WalletFacts,
    WalletRequest,
    WalletsAnswer,
    WithdrawalRequest,
    movement_view,
)
from app.api.wallet.views import receipt, wallet_opened, wallet_view
from app.errors import (
    AccountNotFound,
    CurrencyMismatch,
    InsufficientBalance,
    InvalidAmount,
    KycRequired,
    PermissionDenied,
    UnsupportedCurrency,
)
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.idempotency import claim
from app.http.operation import OPTIONAL, operation
from app.http.pagination import transaction_cursor
from app.http.responses import respond
from app.services.wallets import direct_funding, wallets
from app.services.wallets.direct_funding import FundingRequest

blueprint = Blueprint("wallets", __name__, description="Wallets, deposits and withdrawals.")

_FUNDING: Final = (PermissionDenied, AccountNotFound, InvalidAmount, CurrencyMismatch)


@blueprint.route("/accounts/wallets", methods=["POST"])
@operation("wallets_open", key=OPTIONAL, errors=[UnsupportedCurrency])
@blueprint.arguments(WalletRequest)
@blueprint.response(201, WalletFacts)
def open_wallet(body: dict[str, Any]) -> Response:
    """Open an empty wallet."""
    answer = wallets.open_wallet(
        current_principal(),
        body["currency"],
        wallet_type=body["type"],
        name=body["name"],
        claim=claim(body, wallet_opened),
    )
    return respond(answer.body, answer.status, replayed=answer.replayed)


@blueprint.route("/accounts")
@operation("wallets_list")
@blueprint.response(200, WalletsAnswer)
def list_wallets() -> Response:
    """Your wallets, oldest first."""
    mine = wallets.wallets(current_principal().user_id)
    return respond({"accounts": [wallet_view(wallet) for wallet in mine]})


@blueprint.route("/accounts/<wallet_id>")
@operation("wallets_get", errors=[AccountNotFound])
@blueprint.response(200, WalletAnswer)
def get_wallet(wallet_id: str) -> Response:
    """A wallet's balance and its ten latest movements, of one moment."""
    statement = wallets.statement(current_principal().user_id, wallet_id)
    recent = [movement_view(movement) for movement in statement.recent]
    return respond({"account": wallet_view(statement.wallet), "recent_transactions": recent})


@blueprint.route("/accounts/<wallet_id>/transactions")
@operation("wallets_list_transactions", errors=[AccountNotFound])
@blueprint.arguments(HistoryQuery, location="query")
@blueprint.response(200, HistoryAnswer)
def list_movements(query: dict[str, Any], wallet_id: str) -> Response:
    """A wallet's movements, newest first. Follow `next_cursor` for older ones."""
    before = transaction_cursor(query["cursor"]) if "cursor" in query else None
    page = wallets.history(current_principal().user_id, wallet_id, limit=query["limit"], before=before)
    shown = [movement_view(movement) for movement in page.items]
    # A cursor is the id of the last transaction shown, which the client knows.
    return respond({"transactions": shown, "next_cursor": shown[-1]["id"] if page.has_next else None})


@blueprint.route("/accounts/<wallet_id>/deposit", methods=["POST"])
@operation("wallets_deposit", key=OPTIONAL, errors=_FUNDING)
@blueprint.arguments(DepositRequest)
@blueprint.response(200, CashReceipt)
def deposit(body: dict[str, Any], wallet_id: str) -> Response:
    """Put money into a wallet. Frozen wallets take deposits too."""
    wanted = _funding_request(body, counterparty=body["source"])
    answer = direct_funding.deposit(current_principal(), wallet_id, wanted, claim=claim(body, receipt))
    return respond(answer.body, answer.status, replayed=answer.replayed)


@blueprint.route("/accounts/<wallet_id>/withdraw", methods=["POST"])
@operation(
    "wallets_withdraw",
    key=OPTIONAL,
    errors=[*_FUNDING, UnsupportedCurrency, KycRequired, InsufficientBalance],
)
@blueprint.arguments(WithdrawalRequest)
@blueprint.response(200, CashReceipt)
def withdraw(body: dict[str, Any], wallet_id: str) -> Response:
    """Take money out of a wallet: at most 10,000 USD or its equivalent, and only with a verified identity."""
    wanted = _funding_request(body, counterparty=body["destination"])
    answer = direct_funding.withdraw(current_principal(), wallet_id, wanted, claim=claim(body, receipt))
    return respond(answer.body, answer.status, replayed=answer.replayed)


def _funding_request(body: dict[str, Any], *, counterparty: str) -> FundingRequest:
    return FundingRequest(
        amount=body["amount"],
        counterparty=counterparty,
        currency=body.get("currency"),
        reference=body.get("reference"),
        description=body.get("description"),
    )
