"""`python -m bench.provider_payments`: payments through providers, compared with pgbench on the same server.

Initialize, and until the payment is completed: through CPay that is one request; through the HTTP providers the simulated customer
pays at once, the simulator sends a callback, and the worker queries the provider. `--fill N`: with N older payments in the tables.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from bench import client, report
from bench.cpu import Meter, process_tree
from bench.gateway import CURRENCIES, Gateway, running_gateway
from bench.measurement import LoadRefused
from bench.pgbench import PgBench
from launcher.embedded import SUPERUSER
from launcher.errors import LauncherError

CLIENTS = 8
SECONDS = 6.0
ROUNDS = 3
FIRST_LOAD_S = 1.5
PGBENCH_S = 3.0

AIMS = {"cpay": 0.12} | {name: 0.04 for name in CURRENCIES if name != "cpay"}
"""Payments per second as a multiple of pgbench's transactions."""

DRAIN_AIM_S = 1.0
"""From the last answer until every payment is completed."""


@dataclass(frozen=True)
class Figure:
    """One load. completed_per_s: payments completed in the time from the first request until all are, per second. cpu_s: by part
    of the stack, seconds for one payment."""

    per_s: float
    ratio: float
    completed_ratio: float
    p50_s: float
    p95_s: float
    drained_s: float
    cpu_s: dict[str, float]


def main() -> int:
    options = _options()
    if options.smoke:
        options.providers, options.rounds, options.seconds, options.fill = ["cpay", "chapa"], 1, 2.0, 1_000
    try:
        with running_gateway(PROVIDER_CALLS_AT_ONCE=str(2 * CLIENTS)) as gateway:
            _run(gateway, options)
    except (LauncherError, LoadRefused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(gateway: Gateway, options: argparse.Namespace) -> None:
    pgbench = PgBench(gateway.stack.postgres, clients=CLIENTS, scale=10)
    for name in options.providers:
        _load(gateway, name, FIRST_LOAD_S, baseline=1.0)
    _measure(gateway, pgbench, options, "small tables")
    if options.fill:
        fill(gateway, options.fill)
        options.providers = [name for name in options.providers if name == "cpay"]
        _measure(gateway, pgbench, options, f"{options.fill:,} payments")


def _measure(gateway: Gateway, pgbench: PgBench, options: argparse.Namespace, title: str) -> None:
    """Rounds of every provider by turns, each with the rate of pgbench before and after it."""
    series: dict[str, list[Figure]] = {name: [] for name in options.providers}
    rates = [pgbench.per_second(min(PGBENCH_S, options.seconds))]
    for _ in range(options.rounds):
        for name in options.providers:
            found = _load(gateway, name, options.seconds, baseline=1.0)
            rates.append(pgbench.per_second(min(PGBENCH_S, options.seconds)))
            baseline = (rates[-2] + rates[-1]) / 2
            series[name].append(
                replace(
                    found,
                    ratio=found.ratio / baseline,
                    completed_ratio=found.completed_ratio / baseline,
                )
            )
            report.step(f"{name}: {found.per_s:,.0f}/s, {series[name][-1].ratio:.3f} × pgbench")
    show(series, rates, title)


def _load(gateway: Gateway, provider: str, seconds: float, *, baseline: float) -> Figure:
    """Run the load, and wait until every payment is completed. Raises LoadRefused, LauncherError."""
    meter = Meter(lambda: _parts(gateway))
    began = time.perf_counter()
    load = client.run(
        gateway.stack.port,
        [gateway.initialize(provider)],
        clients=CLIENTS,
        warm_up_s=seconds / 4,
        seconds=seconds,
        at_window=meter.read,
    )
    ended = time.perf_counter()
    if load.unexpected:
        raise LoadRefused("\n".join(load.unexpected[:3]))
    gateway.wait_until_all_completed()
    done = time.perf_counter()
    per_s = load.count / load.seconds
    return Figure(
        per_s=per_s,
        ratio=per_s / baseline,
        completed_ratio=load.answered / (done - began) / baseline,
        p50_s=load.percentile(50),
        p95_s=load.percentile(95),
        drained_s=done - ended,
        cpu_s={part: used / max(1, load.count) for part, used in meter.between().items()},
    )


def _parts(gateway: Gateway) -> dict[str, list[int]]:
    parts = gateway.stack.parts()
    for name in ("worker", "sandbox"):
        parts[name] = process_tree(gateway.stack.pid(name))
    return parts


def fill(gateway: Gateway, total: int) -> None:
    """Insert completed payments, with what belongs to them, until there are `total`."""
    statement = Path(__file__).with_name("fill_provider_payments.sql").read_text()
    gateway.stack.stop("relay")
    with closing(gateway.stack.connect(SUPERUSER)) as connection, connection.cursor() as cursor:
        while (missing := total - gateway.rows("SELECT count(*) FROM payments")[0][0]) > 0:
            cursor.execute(statement, {"count": min(missing, 50_000)})
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    gateway.stack.start("relay")
    report.step(f"{gateway.rows('SELECT count(*) FROM payments')[0][0]:,} payments in the tables")


def show(series: dict[str, list[Figure]], rates: Sequence[float], title: str) -> None:
    table = Table(title=f"Provider payments compared with pgbench, {title}", title_justify="left")
    for heading in ("", "per second", "× pgbench", "aim", "until completed", "p50", "p95", "drained in"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("pgbench TPC-B, prepared", f"{statistics.median(rates):,.0f}", "1", *[""] * 5)
    for name, figures in series.items():
        ratios = [figure.ratio for figure in figures]
        table.add_row(
            name,
            f"{_median(figures, 'per_s'):,.0f}",
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})",
            f"{AIMS[name]:g}",
            f"{_median(figures, 'completed_ratio'):.3f}",
            f"{1000 * _median(figures, 'p50_s'):.1f} ms",
            f"{1000 * _median(figures, 'p95_s'):.1f} ms",
            f"{_median(figures, 'drained_s'):.1f} s",
        )
    report.console.print(table)
    for name, figures in series.items():
        parts = {part: statistics.median(one.cpu_s[part] for one in figures) for part in figures[0].cpu_s}
        shown = ", ".join(f"{part} {1e6 * used:,.0f}" for part, used in parts.items())
        report.console.print(f"{name}, processor time a payment, µs: {shown}")


def _median(figures: Sequence[Figure], field: str) -> float:
    return statistics.median(getattr(figure, field) for figure in figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.provider_payments")
    parser.add_argument("--providers", nargs="+", choices=list(CURRENCIES), default=list(CURRENCIES))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--smoke", action="store_true", help="a short check that it still runs")
    parser.add_argument("--fill", type=int, default=200_000, help="payments in the filled tables; 0: none")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
