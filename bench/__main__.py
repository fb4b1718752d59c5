"""`python -m bench`: all measurements, about five minutes. `--smoke`: a short check that they still run, half a
minute."""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass

from bench import report, users
from bench.measurement import Bench, Figure, LoadRefused
from bench.pgbench import PgBench
from bench.stack import Stack, running_stack
from launcher.errors import LauncherError

BATCH = 500
FIRST_LOAD_S = 1.0
"""A load that is not reported: it opens connections, caches plans, and leaves about a thousand payments."""

TITLES = {
    "spread": "payments between random users",
    "hot": "payments to one user",
    "batch": f"payments in batches of {BATCH}",
}


@dataclass(frozen=True)
class Size:
    """How much is measured. scale: pgbench's; grown: payments in the filled tables."""

    users: int
    scale: int
    rounds: int
    seconds: float
    warm_up_s: float
    grown: int


FULL = Size(users=1000, scale=10, rounds=3, seconds=8, warm_up_s=2, grown=1_000_000)
SMOKE = Size(users=50, scale=1, rounds=1, seconds=2, warm_up_s=0.5, grown=5_000)


def main() -> int:
    options = _options()
    size = SMOKE if options.smoke else FULL
    seconds = options.seconds or size.seconds
    wanted = options.only or [*TITLES, "growth"]
    try:
        with running_stack() as stack:
            return _Run(
                stack, size, seconds=seconds, rounds=options.rounds or size.rounds, clients=options.clients
            ).run(wanted)
    except (LauncherError, LoadRefused) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


class _Run:
    def __init__(self, stack: Stack, size: Size, *, seconds: float, rounds: int, clients: int) -> None:
        self._stack, self._size, self._rounds = stack, size, rounds
        self._bench = Bench(stack, clients=clients, seconds=seconds, warm_up_s=size.warm_up_s)
        report.step(f"{size.users} users with a wallet each; {clients} clients; {seconds:g} s a measurement.")
        payers = users.make_users(stack, size.users)
        self._requests = {
            "spread": users.payments(stack, payers),
            "hot": users.payments(stack, payers, to=payers[0]),
            "batch": users.batches(stack, payers, BATCH),
        }
        self._pgbench = PgBench(stack.postgres, clients=clients, scale=size.scale)
        self._baseline = [self._pgbench_per_s()]

    def run(self, wanted: list[str]) -> int:
        self._bench.measure(self._requests["spread"], seconds=FIRST_LOAD_S)
        points = [self._point()] if "growth" in wanted else []
        rounds = self._all_rounds([name for name in TITLES if name in wanted])
        wrong = []
        if rounds:
            report.speeds(rounds, self._baseline, TITLES)
            report.processor(rounds, TITLES)
            audited = self._stack.last_line("audit", "verify")
            report.step(audited)
            wrong += [audited] if audited.startswith("FAILED") else []
        if points:
            # Last: the old payments have no valid HMACs, so the log could not be verified afterwards.
            taken_s = self._bench.fill(self._size.grown)
            report.step(f"Filling the tables to {self._size.grown:,} payments took {taken_s:.0f} s.")
            points.append(self._point())
            report.growth(points)
        return self._verdict(wrong)

    def _all_rounds(self, names: list[str]) -> dict[str, list[tuple[Figure, float]]]:
        rounds: dict[str, list[tuple[Figure, float]]] = {name: [] for name in names}
        for number in range(self._rounds if names else 0):
            before = self._baseline[-1]
            figures = {}
            for name in names:
                figures[name] = self._bench.measure(
                    self._requests[name], payments_each=BATCH if name == "batch" else 1
                )
                again = (
                    f", {figures[name].retried} requests retried after 409" if figures[name].retried else ""
                )
                report.step(
                    f"round {number + 1}: {TITLES[name]}: {figures[name].payments_per_s:,.0f} a second{again}"
                )
            around = statistics.mean((before, self._pgbench_per_s()))
            for name, figure in figures.items():
                rounds[name].append((figure, figure.payments_per_s / around))
        return rounds

    def _point(self) -> tuple[int, Figure, float]:
        count, before = self._bench.count(), self._pgbench_per_s()
        figure = self._bench.measure(self._requests["spread"])
        around = statistics.mean((before, self._pgbench_per_s()))
        return count, figure, figure.payments_per_s / around

    def _pgbench_per_s(self) -> float:
        per_second = self._pgbench.per_second(self._bench.seconds)
        report.step(f"pgbench: {per_second:,.0f} a second")
        if hasattr(self, "_baseline"):
            self._baseline.append(per_second)
        return per_second

    def _verdict(self, wrong: list[str]) -> int:
        checked = self._stack.last_line("ledger", "check")
        report.step(checked)
        wrong += self._bench.disagreements()
        wrong += [checked] if checked.startswith("FAILED") else []
        for sentence in wrong:
            print(sentence, file=sys.stderr)
        if not wrong:
            report.step(
                f"{self._bench.accepted:,} payments were accepted; all of them are completed and have two events each."
            )
        return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small and short: only checks that it works")
    parser.add_argument(
        "--only", action="append", choices=[*TITLES, "growth"], help="this part (may be repeated)"
    )
    parser.add_argument("--seconds", type=float, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--clients", type=int, default=8, help="concurrent requests, and pgbench clients")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
