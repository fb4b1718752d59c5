"""The tenant's wallet: balances, lines, statements."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request

from app.api.tenant.schemas.wallet import (
    BalanceQuery,
    LineQuery,
    StatementQuery,
    TenantBalances,
    WalletLines,
    WalletStatement,
)
from app.api.tenant.views_wallet import balance_view, csv_of, line_view, statement_view
from app.errors import UnsupportedCurrency
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.tenant_wallets import balances, lines, statements
from app.services.tenant_wallets.lines import LineFilter, LinePage

blueprint = Blueprint("tenant_wallet", __name__, description="The tenant's wallet.")

MAX_CSV_LINES: Final = 10_000
NEXT_CURSOR: Final = "X-Next-Cursor"
"""Header of a CSV that has not all lines."""

JSON: Final = "application/json"
CSV: Final = "text/csv"


@blueprint.route("/wallet/balance")
@operation("tenant_wallet_get_balance", errors=[UnsupportedCurrency])
@blueprint.arguments(BalanceQuery, location="query")
@blueprint.response(200, TenantBalances)
def get_balance(query: dict[str, Any]) -> Response:
    """What the wallet has in one currency, and in every one, of one moment."""
    wanted, found = balances.balances(current_principal(), query.get("currency"))
    return respond(balance_view(wanted) | {"balances": [balance_view(one) for one in found]})


@blueprint.route("/wallet/transactions")
@operation("tenant_wallet_list_transactions")
@blueprint.arguments(LineQuery, location="query")
@blueprint.response(200, WalletLines)
@blueprint.alt_response(
    200,
    schema={"type": "string"},
    content_type=CSV,
    description="The same as CSV, up to 10,000 lines; the header `X-Next-Cursor` when there are more.",
)
def list_transactions(query: dict[str, Any]) -> Response:
    """What came into the wallet and went out of it, newest first: payments with what the customer paid, their fees apart.

    `Accept: text/csv` or `format=csv`: up to 10,000 lines as CSV.
    """
    wanted = LineFilter(query.get("type"), query.get("currency"), query.get("since"), query.get("before"))
    is_csv = _is_csv(query.get("format"))
    page = lines.list_lines(
        current_principal(),
        wanted,
        limit=MAX_CSV_LINES if is_csv else query["limit"],
        cursor=query.get("cursor"),
    )
    if is_csv:
        return _csv(page)
    results = [line_view(line) for line in page.lines]
    return respond({"count": len(results), "results": results, "next_cursor": page.cursor})


@blueprint.route("/wallet/statement")
@operation("tenant_wallet_get_statement", errors=[UnsupportedCurrency])
@blueprint.arguments(StatementQuery, location="query")
@blueprint.response(200, WalletStatement)
def get_statement(query: dict[str, Any]) -> Response:
    """The balance before a period and after it, with the lines between them, oldest first.

    A period of at most 366 days and 10,000 entries.
    """
    found = statements.statement(
        current_principal(),
        since=query["since"],
        before=query["before"],
        currency=query.get("currency"),
    )
    return respond(statement_view(found))


def _is_csv(wanted: str | None) -> bool:
    if wanted is not None:
        return wanted == "csv"
    return request.accept_mimetypes.best_match([JSON, CSV], default=JSON) == CSV


def _csv(page: LinePage) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="transactions.csv"'}
    if page.cursor is not None:
        headers[NEXT_CURSOR] = page.cursor
    return Response(csv_of(page.lines), 200, headers, content_type=f"{CSV}; charset=utf-8")
