"""`python -m bench.payments`: payments through providers, beside pgbench on the same server.

A request is a complete initialize: key, validation, attempt and job, the call to the provider, the result. CPay answers
in the same process; the other providers are the simulators over HTTP. They share the machine's cores with the gateway,
the callbacks, the worker's confirmations and the relay, so a dedicated machine reaches more.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from rich.table import Table

from bench import client, report
from bench.client import Load
from bench.gateway import CURRENCIES, Gateway, running_gateway
from bench.measurement import LoadRefused
from bench.pgbench import PgBench
from launcher.errors import LauncherError

MAX_SHOWN = 3


def main() -> int:
    options = _options()
    try:
        # As many calls at once as there are clients: nothing is left to jobs because a bulkhead is full.
        with running_gateway(PROVIDER_CALLS_AT_ONCE=str(options.clients)) as gateway:
            return _measure(gateway, options)
    except (LauncherError, LoadRefused) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _measure(gateway: Gateway, options: argparse.Namespace) -> int:
    pgbench = PgBench(gateway.stack.postgres, clients=options.clients, scale=options.scale)
    rates = [pgbench.per_second(options.seconds)]
    loads: dict[str, Load] = {}
    for provider in options.only or CURRENCIES:
        loads[provider] = _load(gateway, provider, options)
        rates.append(pgbench.per_second(options.seconds))
        report.step(f"{provider}: {loads[provider].count / loads[provider].seconds:,.0f} a second")
    _show(loads, rates)
    return _verdict(gateway)


def _load(gateway: Gateway, provider: str, options: argparse.Namespace) -> Load:
    """One provider's load; returns when its payments are completed. Raises LoadRefused."""
    load = client.run(
        gateway.stack.port,
        [gateway.initialize(provider)],
        clients=options.clients,
        warm_up_s=options.seconds / 4,
        seconds=options.seconds,
        at_window=lambda: None,
    )
    if load.unexpected:
        shown = "\n".join(load.unexpected[:MAX_SHOWN])
        raise LoadRefused(f"{len(load.unexpected)} answers of {provider} were not 201. The first:\n{shown}")
    gateway.wait_until_all_completed()
    return load


def _show(loads: dict[str, Load], rates: list[float]) -> None:
    """Each load beside the mean of the pgbench runs before and after it."""
    table = Table(
        title="POST /payments/initialize, compared with pgbench on the same server", title_justify="left"
    )
    for heading in ("", "per second", "× pgbench", "p50", "p95", "p99"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("pgbench TPC-B, prepared", f"{statistics.median(rates):,.0f}", "1", "", "", "")
    for number, (provider, load) in enumerate(loads.items()):
        per_second = load.count / load.seconds
        ratio = per_second / statistics.mean(rates[number : number + 2])
        latencies = (f"{load.percentile(percent) * 1000:,.1f} ms" for percent in (50, 95, 99))
        table.add_row(provider, f"{per_second:,.0f}", f"{ratio:.3f}", *latencies)
    report.console.print(table)


def _verdict(gateway: Gateway) -> int:
    printed = [gateway.stack.last_line("ledger", "check"), gateway.stack.last_line("audit", "verify")]
    for line in printed:
        report.step(line)
    return 1 if any(line.startswith("FAILED") for line in printed) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.payments", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(CURRENCIES), help="this provider (may be repeated)"
    )
    parser.add_argument("--seconds", type=float, default=8, help="how long each measurement takes")
    parser.add_argument("--clients", type=int, default=8, help="concurrent requests, and pgbench clients")
    parser.add_argument("--scale", type=int, default=10, help="pgbench's scale: 100,000 accounts each")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
