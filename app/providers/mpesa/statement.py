"""The pull API: what was collected in the last 48 hours, for pushes whose answer and callback were both lost.

Documents and clients disagree on the method (a setting) and show one page of answers; the rows are in `Response`, as
a list or as a list of lists. What is not found here counts as not paid, so whatever could hide a row is unclear instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from app import clock
from app.errors import InvalidAmount
from app.providers.base import Account, StatementLine
from app.providers.errors import OutcomeUnknown
from app.providers.http import Method
from app.providers.mpesa.client import DarajaClient
from app.providers.mpesa.settings import PULL_REACH
from app.providers.mpesa.values import code_of, id_of, money_of, pull_date, read_pull_date, text_of

PULL_PATH: Final = "/pulltransactions/v1/query"
FOUND: Final = "1000"
NOTHING: Final = "1001"
"""No transactions in that time; what stands for the list then is a text, or missing."""

ZONE_DOUBT: Final = timedelta(hours=3)
"""The portal's rows end with `Z`, its requests name no zone: either may be Kenyan time or UTC. A row is asked for and kept
whichever it is."""

MAX_PAGES: Final = 50


def collect(
    daraja: DarajaClient, account: Account, start: datetime, end: datetime
) -> Sequence[StatementLine]:
    """The lines from `start` (at most 48 hours back) to `end`, by either reading of their times. Raises ProviderError;
    never a part of the lines.

    A page that brings nothing new is the end, whether the provider honours the offset or not.
    """
    oldest = clock.now() - PULL_REACH
    start = max(start, oldest)
    asked_from = max(start - ZONE_DOUBT, oldest)
    lines: dict[str, StatementLine] = {}
    for _page in range(MAX_PAGES):
        rows = list(_rows(_page_of(daraja, account, asked_from, end, len(lines))))
        fresh = {line.receipt: line for line in map(_line, rows) if line.receipt not in lines}
        if not fresh:
            return [line for line in lines.values() if start - ZONE_DOUBT <= line.at <= end + ZONE_DOUBT]
        lines |= fresh
    raise OutcomeUnknown("The M-Pesa statement is longer than can be read.", code="too_long")


def _page_of(
    daraja: DarajaClient, account: Account, start: datetime, end: datetime, offset: int
) -> Mapping[str, Any]:
    method: Method = "GET" if account["pull_method"] == "GET" else "POST"
    body = {
        "ShortCode": account["shortcode"],
        "StartDate": pull_date(start),
        "EndDate": pull_date(end),
        "OffSetValue": str(offset),
    }
    answer = daraja.send(PULL_PATH, body, method=method)
    code = code_of(answer.get("ResponseCode"))
    if code != NOTHING and (code != FOUND or not isinstance(answer.get("Response"), list)):
        raise OutcomeUnknown("M-Pesa gave no statement.", code=code or "unreadable_answer")
    return answer


def _rows(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every row of `Response`, however deep it lies in lists."""
    waiting = [answer.get("Response")]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            yield item


def _line(row: Mapping[str, Any]) -> StatementLine:
    receipt = id_of(row.get("transactionId"))
    try:
        amount, at = money_of(row.get("amount")), read_pull_date(text_of(row.get("trxDate")))
    except (InvalidAmount, ValueError) as error:
        raise OutcomeUnknown(
            "A line of the M-Pesa statement cannot be read.", code="unreadable_answer"
        ) from error
    if receipt is None or amount is None:
        raise OutcomeUnknown("A line of the M-Pesa statement cannot be read.", code="unreadable_answer")
    return StatementLine(text_of(row.get("billreference")), receipt, amount, at)
