"""`python -m bench.hanging`: how a provider that answers after ten seconds affects payments through other providers.

In turn, round by round: the usual load, and the same load while more requests hang at M-Pesa than its bulkhead has
slots. Payments through CPay and Paystack are measured. Trust the ratios. A round takes about a minute.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.table import Table

from bench import client, report
from bench.gateway import Gateway, running_gateway
from bench.measurement import LoadRefused
from launcher.errors import LauncherError

HANGING = "mpesa"
MEASURED = ("cpay", "paystack")
HANG_S = 10.0
WEB_THREADS = 64
BURST = 30
"""Requests through the provider that hangs: its bulkhead has 16 slots."""

SETTLED_S = 1.5
"""By then every request of the burst is answered or hangs, so its processor time does not affect the measurement."""

WARM_UP_S = 1.0
CLIENTS = 2
AIM = 2.0
"""The growth of p95 is to stay below it."""

_COMPLETED_AFTER = """
SELECT extract(epoch FROM completed_at - created_at)::float8 FROM payments
WHERE provider = %s AND created_at >= %s AND created_at < %s
"""

Samples = dict[tuple[str, bool], list[float]]
"""(what was measured, whether the provider hung) → seconds."""


def main() -> int:
    options = _options()
    try:
        with running_gateway(WEB_WORKERS="1", WEB_THREADS=str(WEB_THREADS), DB_POOL_SIZE="2") as gateway:
            _round(gateway, WARM_UP_S, {})
            report.step("warmed up")
            samples: Samples = {}
            for number in range(options.rounds):
                _round(gateway, options.seconds, samples)
                report.step(f"round {number + 1} of {options.rounds}")
            return _show(samples)
    except (LauncherError, LoadRefused) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _round(gateway: Gateway, seconds: float, samples: Samples) -> None:
    for provider, is_hanging in itertools.product(MEASURED, (False, True)):
        with _burst(gateway, is_hanging=is_hanging):
            began = datetime.now(UTC)
            load = client.run(
                gateway.stack.port,
                [gateway.initialize(provider)],
                clients=CLIENTS,
                warm_up_s=0.5,
                seconds=seconds,
                at_window=lambda: None,
            )
            ended = datetime.now(UTC)
        if load.unexpected:
            raise LoadRefused(f"An answer of {provider} was not 201:\n{load.unexpected[0]}")
        gateway.wait_until_all_completed()
        samples.setdefault((f"{provider}, initialize", is_hanging), []).extend(load.latencies)
        rows = gateway.rows(_COMPLETED_AFTER, provider, began, ended)
        samples.setdefault((f"{provider}, until completed", is_hanging), []).extend(row[0] for row in rows)


@contextmanager
def _burst(gateway: Gateway, *, is_hanging: bool) -> Iterator[None]:
    """Around a load: BURST requests through M-Pesa begin before it, and are answered before this ends."""
    rule = {"fault": "delay", "provider": HANGING, "operation": "stkpush", "seconds": HANG_S}
    gateway.control({"rules": [rule] if is_hanging else []})
    request = gateway.initialize(HANGING)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(
            client.run,
            gateway.stack.port,
            [request],
            clients=BURST,
            warm_up_s=0.0,
            seconds=0.0,
            at_window=_nothing,
        )
        time.sleep(SETTLED_S)
        try:
            yield
        finally:
            gateway.control({"rules": []})
            answered = sent.result(timeout=60)
    if answered.unexpected:
        raise LoadRefused(f"An answer of {HANGING} was not 201:\n{answered.unexpected[0]}")


def _nothing() -> None:
    """A burst is not measured."""


def _show(samples: Samples) -> int:
    table = Table(
        title=f"Payments through other providers while one answers after {HANG_S:g} s", title_justify="left"
    )
    for heading in ("", "samples", "p50", "p50 hanging", "p95", "p95 hanging", "growth of p95"):
        table.add_column(heading, justify="left" if not heading else "right")
    worst = 0.0
    for what in dict.fromkeys(name for name, _ in samples):
        usual, hanging = samples[what, False], samples[what, True]
        growth = _p95(hanging) / _p95(usual)
        worst = max(worst, growth)
        times = [statistics.median(usual), statistics.median(hanging), _p95(usual), _p95(hanging)]
        cells = (f"{seconds * 1000:,.1f} ms" for seconds in times)
        table.add_row(what, f"{len(usual):,} / {len(hanging):,}", *cells, f"{growth:.2f}")
    report.console.print(table)
    report.console.print(f"The largest growth is {worst:.2f} (aim: below {AIM:g}).")
    return 0 if worst < AIM else 1


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.hanging", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="how long each measurement takes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
