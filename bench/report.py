"""The tables that the benchmarks print."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.measurement import Figure

console = Console(highlight=False, width=150)

AIMS = {"spread": 0.20, "batch": 3.5}
"""Payments per second as a multiple of pgbench's transactions."""

HOT_AIM = 0.95
"""Payments to one user as a multiple of payments between random users."""

Series = Sequence[tuple[Figure, float]]
"""Figures of one load, each with its ratio to the pgbench runs around it."""


def step(line: str) -> None:
    console.print(line, style="dim")


def speeds(rounds: Mapping[str, Series], baseline: Sequence[float], titles: Mapping[str, str]) -> None:
    """Every load beside pgbench: medians, and in brackets the lowest and highest ratio of a round."""
    table = Table(title="Payments per second, compared with pgbench on the same server", title_justify="left")
    for heading in (
        "",
        "per second",
        "× pgbench",
        "aim",
        "p50",
        "p95",
        "p99",
        "published p50 / p95",
        "drained in",
    ):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("pgbench TPC-B, prepared", f"{statistics.median(baseline):,.0f}", "1", *[""] * 6)
    for name, series in rounds.items():
        figures = [figure for figure, _ in series]
        table.add_row(
            titles[name],
            f"{_median(figures, 'payments_per_s'):,.0f}",
            _spread([ratio for _, ratio in series]),
            f"{AIMS[name]:g}" if name in AIMS else "",
            *(_ms(_median(figures, field)) for field in ("p50_s", "p95_s", "p99_s")),
            f"{_ms(_median(figures, 'published_p50_s'))} / {_ms(_median(figures, 'published_p95_s'))}",
            f"{_median(figures, 'drained_s'):.1f} s",
        )
    console.print(table)
    if "spread" in rounds and "hot" in rounds:
        pairs = zip(rounds["hot"], rounds["spread"], strict=True)
        console.print(
            f"Payments to one user ÷ payments between random users: {_spread([hot[1] / spread[1] for hot, spread in pairs])} (aim {HOT_AIM})"
        )
    for name, series in rounds.items():
        if any(figure.backlog > figure.payments_per_s for figure, _ in series):
            kept = statistics.median(figure.kept_up_per_s for figure, _ in series)
            console.print(
                f"{titles[name]}: accepted faster than published; {kept:,.0f} a second until all was published."
            )


def processor(rounds: Mapping[str, Series], titles: Mapping[str, str]) -> None:
    """Microseconds of processor time for one payment, by part."""
    table = Table(title="Processor time of one payment, µs (median round)", title_justify="left")
    table.add_column("")
    for name in rounds:
        table.add_column(titles[name], justify="right")
    columns = {
        name: {
            part: statistics.median(figure.cpu_s.get(part, 0.0) for figure, _ in series) * 1e6
            for part in series[0][0].cpu_s
        }
        for name, series in rounds.items()
    }
    for part in next(iter(columns.values())):
        table.add_row(part, *(f"{column[part]:,.0f}" for column in columns.values()))
    table.add_row("all", *(f"{sum(column.values()):,.0f}" for column in columns.values()), style="bold")
    console.print(table)


def growth(points: Sequence[tuple[int, Figure, float]]) -> None:
    """The same load with few and with many payments in the tables."""
    table = Table(title="Payments between random users as the tables grow", title_justify="left")
    for heading in ("payments in the tables", "per second", "× pgbench", "p95", "Postgres, µs a payment"):
        table.add_column(heading, justify="right")
    for count, figure, ratio in points:
        postgres = sum(used for part, used in figure.cpu_s.items() if "Postgres" in part) * 1e6
        table.add_row(
            f"{count:,}",
            f"{figure.payments_per_s:,.0f}",
            f"{ratio:.3f}",
            _ms(figure.p95_s),
            f"{postgres:,.0f}",
        )
    console.print(table)
    console.print(
        f"Growth: {points[-1][2] / points[0][2]:.2f} × as fast with the most as with the fewest, against pgbench."
    )


def _median(figures: Sequence[Figure], field: str) -> float:
    return statistics.median(getattr(figure, field) for figure in figures)


def _spread(ratios: Sequence[float]) -> str:
    middle = f"{statistics.median(ratios):.2f}"
    return middle if len(ratios) == 1 else f"{middle} ({min(ratios):.2f}–{max(ratios):.2f})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"
