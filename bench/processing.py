"""`python -m bench.processing`: payments of the Processing API, and repeats of an Idempotency-Key, compared with pgbench on the
same server."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from typing import Final

from rich.table import Table

from bench import client, report
from bench.client import Request
from bench.gateway import Gateway, running_gateway
from bench.measurement import LoadRefused
from bench.pgbench import PgBench
from launcher.errors import LauncherError
from tour.backend import PAYMENT

CLIENTS: Final = 8
SECONDS: Final = 6.0
ROUNDS: Final = 3
FIRST_LOAD_S: Final = 1.5
PGBENCH_S: Final = 3.0


@dataclass(frozen=True)
class Load:
    """What is sent, the status that is expected, and the aim: requests per second as a multiple of pgbench's transactions."""

    title: str
    request: Request
    expected: int
    aim: float | None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a short check that it still runs")
    options = parser.parse_args()
    rounds, seconds = (1, 2.0) if options.smoke else (ROUNDS, SECONDS)
    try:
        with running_gateway(RATE_LIMIT_PROCESSING="100000000/minute") as gateway:
            _run(gateway, rounds=rounds, seconds=seconds)
    except (LauncherError, LoadRefused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(gateway: Gateway, *, rounds: int, seconds: float) -> None:
    loads = (
        Load("payments", _request(gateway, "Idempotency-Key: "), 201, 0.10),
        # The key is the same each time; what differs is the request's id.
        Load("repeats of a key", _request(gateway, "Idempotency-Key: repeated\r\nX-Request-Id: "), 200, None),
    )
    _first(gateway, loads[1].request)
    pgbench = PgBench(gateway.stack.postgres, clients=CLIENTS, scale=10)
    for load in loads:
        _measure(gateway, load, FIRST_LOAD_S)
    ratios: dict[str, list[float]] = {load.title: [] for load in loads}
    rates = [pgbench.per_second(min(PGBENCH_S, seconds))]
    for _ in range(rounds):
        for load in loads:
            found = _measure(gateway, load, seconds)
            rates.append(pgbench.per_second(min(PGBENCH_S, seconds)))
            ratios[load.title].append(found / ((rates[-2] + rates[-1]) / 2))
            report.step(f"{load.title}: {found:,.0f}/s, {ratios[load.title][-1]:.3f} × pgbench")
    _show(loads, ratios, rates)


def _request(gateway: Gateway, last_header: str) -> Request:
    content = json.dumps(dict(PAYMENT)).encode()
    before = (
        f"POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1:{gateway.stack.port}\r\n"
        f"Authorization: Bearer {gateway.api_key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n{last_header}"
    )
    return before.encode(), b"\r\n\r\n" + content


def _first(gateway: Gateway, request: Request) -> None:
    """The request that the others repeat."""
    before, after = request
    load = client.run(
        gateway.stack.port,
        [(before, after)],
        clients=1,
        warm_up_s=0,
        seconds=0,
        at_window=lambda: None,
        expected=201,
    )
    if load.unexpected:
        raise LoadRefused(load.unexpected[0])


def _measure(gateway: Gateway, load: Load, seconds: float) -> float:
    """Requests per second. Raises LoadRefused."""
    found = client.run(
        gateway.stack.port,
        [load.request],
        clients=CLIENTS,
        warm_up_s=seconds / 4,
        seconds=seconds,
        at_window=lambda: None,
        expected=load.expected,
    )
    if found.unexpected:
        raise LoadRefused("\n".join(found.unexpected[:3]))
    return found.count / found.seconds


def _show(loads: tuple[Load, ...], ratios: dict[str, list[float]], rates: list[float]) -> None:
    table = Table(title="The Processing API compared with pgbench", title_justify="left")
    for heading in ("", "× pgbench", "aim"):
        table.add_column(heading, justify="left" if not heading else "right")
    for load in loads:
        found = statistics.median(ratios[load.title])
        table.add_row(load.title, f"{found:.3f}", f"{load.aim:.2f}" if load.aim else "")
    report.console.print(table)
    report.step(f"pgbench: {statistics.median(rates):,.0f} transactions per second")


if __name__ == "__main__":
    sys.exit(main())
