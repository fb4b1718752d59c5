"""`python -m bench.tenant_lists`: whether a page of a tenant's lists costs the same in a large wallet as in a small one.

Two merchants on one server: one with a thousand lines in its wallet and a thousand withdrawals, one with a million and a hundred
thousand. The same pages of both are requested in turn; the ratio of the medians is what counts. Filling takes two to three minutes.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

from app import create_app
from app.ledger.chart import account_id, platform_account, tenant_wallet
from app.models.account import AccountKind
from app.services.tenants import tenants
from app.unit_of_work import transaction
from bench import report
from bench.stack import Stack, running_stack
from launcher.errors import LauncherError

FILL = Path(__file__).with_name("fill_tenant_lists.sql")
AIM = 1.5
"""The large merchant's median is to stay below so many of the small one's."""

LINES_OF_A_PAYMENT = 2
WALLET = "/api/v1/wallet"
LIMIT = "limit=50"

_PLACES = """
SELECT replace(p.entry_id::text, '-', ''), e.at FROM postings p JOIN entries e ON e.id = p.entry_id
WHERE p.account_id = %s ORDER BY p.id OFFSET %s LIMIT 1
"""


@dataclass(frozen=True)
class Size:
    """What a merchant has."""

    lines: int
    withdrawals: int

    @property
    def payments(self) -> int:
        return self.lines // LINES_OF_A_PAYMENT


@dataclass(frozen=True)
class Merchant:
    headers: dict[str, str]
    paths: dict[str, str]
    """What is measured → the path, the same kind of page for every merchant."""


def main() -> int:
    options = _options()
    small = Size(1_000, 1_000)
    large = Size(20_000, 2_000) if options.smoke else Size(1_000_000, 100_000)
    try:
        with running_stack(
            RATE_LIMIT_MERCHANT="100000000/minute", RATE_LIMIT_DEFAULT="100000000/minute"
        ) as stack:
            pair = [_filled(stack, small), _filled(stack, large)]
            with closing(http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)) as connection:
                return _show(_measured(connection, pair, rounds=options.rounds), small, large)
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _filled(stack: Stack, size: Size) -> Merchant:
    with create_app(stack.environment).app_context():
        tenant, key = tenants.create_tenant(f"Bench {size.lines}", "growth")
        chart = {
            "wallet": tenant_wallet(tenant.id, "KES"),
            "clearing": platform_account(AccountKind.CLEARING, "cpay", "KES"),
            "fees": platform_account(AccountKind.FEES, "", "KES"),
        }
        accounts = transaction(
            lambda session: {name: account_id(session, account) for name, account in chart.items()}
        )
    began = time.perf_counter()
    values = {"tenant": str(tenant.id), "count": size.payments, "withdrawals": size.withdrawals, **accounts}
    with closing(stack.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute(FILL.read_text(), values)
        connection.commit()
        connection.autocommit = True
        cursor.execute("VACUUM (ANALYZE) payments, payment_attempts, entries, postings, withdrawals")
        paths = dict(_paths(cursor, accounts["wallet"], size))
    report.step(
        f"{size.lines:,} lines and {size.withdrawals:,} withdrawals: {time.perf_counter() - began:.0f} s"
    )
    return Merchant({"X-TENANT-ID": str(tenant.id), "X-TENANT-API-KEY": key}, paths)


def _paths(cursor: Any, wallet: int, size: Size) -> Iterator[tuple[str, str]]:
    yield "transactions, first page", f"{WALLET}/transactions?{LIMIT}"
    for name, part in (("in the middle", 0.5), ("near the end", 0.1)):
        cursor.execute(_PLACES, (wallet, int(size.payments * part)))
        entry, at = cursor.fetchone()
        since, before = (_time(at + timedelta(minutes=minutes)) for minutes in (-30, 30))
        yield f"transactions, a page {name}", f"{WALLET}/transactions?{LIMIT}&cursor=txn_{entry}"
        yield f"transactions, an hour {name}", f"{WALLET}/transactions?{LIMIT}&from={since}&to={before}"
        yield f"statement, an hour {name}", f"{WALLET}/statement?from={since}&to={before}"
    yield "balance", f"{WALLET}/balance"
    yield "withdrawals, first page", f"{WALLET}/withdrawals?{LIMIT}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _measured(
    connection: http.client.HTTPConnection, pair: list[Merchant], *, rounds: int
) -> dict[str, tuple[list[float], ...]]:
    """What was measured → seconds of each request, by merchant. What is not there is left out."""
    found: dict[str, tuple[list[float], ...]] = {}
    for name in pair[0].paths:
        statuses = [_request(connection, merchant, name)[0] for _ in range(5) for merchant in pair]
        if set(statuses) != {200}:
            report.step(f"{name}: not measured, answered {sorted(set(statuses))}")
            continue
        found[name] = tuple([] for _ in pair)
        for _, (merchant, seconds) in itertools.product(range(rounds), zip(pair, found[name], strict=True)):
            seconds.append(_request(connection, merchant, name)[1])
    return found


def _request(connection: http.client.HTTPConnection, merchant: Merchant, name: str) -> tuple[int, float]:
    began = time.perf_counter()
    connection.request(
        "GET", merchant.paths[name], headers=merchant.headers | {"X-Request-Id": uuid.uuid4().hex}
    )
    answer = connection.getresponse()
    body = answer.read()
    took_s = time.perf_counter() - began
    if answer.status == http.client.OK:
        json.loads(body)
    return answer.status, took_s


def _show(measured: dict[str, tuple[list[float], ...]], small: Size, large: Size) -> int:
    table = Table(title="Milliseconds of a request, median", title_justify="left")
    table.add_column("")
    for heading in (f"{small.lines:,} lines", f"{large.lines:,} lines", "ratio"):
        table.add_column(heading, justify="right")
    is_good = bool(measured)
    for name, samples in measured.items():
        few, many = (statistics.median(seconds) for seconds in samples)
        is_good = is_good and many / few < AIM
        table.add_row(name, f"{few * 1000:.1f}", f"{many * 1000:.1f}", f"{many / few:.2f}")
    report.console.print(table)
    report.console.print(f"Every ratio is to be below {AIM:g}: {'yes' if is_good else 'NO'}")
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.tenant_lists", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="requests of each kind")
    parser.add_argument("--smoke", action="store_true", help="few lines: only checks that it works")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
