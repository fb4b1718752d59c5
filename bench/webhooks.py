"""`python -m bench.webhooks`: deliveries per second of one worker to one server on this machine, compared with pgbench.

A merchant's payments are made first; then their events are sent again, all at once, to an endpoint that answers immediately.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.table import Table

from bench import report
from bench.gateway import Gateway, running_gateway
from bench.measurement import LoadRefused
from bench.pgbench import PgBench
from launcher.children import wait_until
from launcher.errors import LauncherError
from tour.backend import PAYMENT

EVENTS_OF_A_PAYMENT: Final = 2
PAYMENTS: Final = 500
"""Their events are as many as one request sends again."""

ROUNDS: Final = 5
PGBENCH_S: Final = 3.0
SENDING_TIMEOUT_S: Final = 120.0
AIM: Final = 300
"""Deliveries per second."""

_ANSWER: Final = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Receiver:
    """A server that answers at once, and remembers when each message came."""

    def __init__(self) -> None:
        self.port = 0
        self.arrived: list[float] = []
        self.ids: set[bytes] = set()

    async def serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await reader.readexactly(int(headers[b"content-length"]))
        self.arrived.append(time.monotonic())
        self.ids.add(headers[b"webhook-id"])
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()


@contextmanager
def _receiving() -> Iterator[Receiver]:
    receiver, ready, loop = Receiver(), threading.Event(), asyncio.new_event_loop()
    serving = loop.create_task(receiver.serve(ready))
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait([serving]),))
    thread.start()
    ready.wait()
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()
        loop.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a short check that it still runs")
    options = parser.parse_args()
    rounds, payments = (1, 25) if options.smoke else (ROUNDS, PAYMENTS)
    try:
        with running_gateway(RATE_LIMIT_PROCESSING="100000000/minute") as gateway, _receiving() as receiver:
            _run(gateway, receiver, rounds=rounds, payments=payments)
    except (LauncherError, LoadRefused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(gateway: Gateway, receiver: Receiver, *, rounds: int, payments: int) -> None:
    for _ in range(payments):
        _post(gateway, "/v1/payments", dict(PAYMENT))
    url = f"http://127.0.0.1:{receiver.port}/webhooks"
    endpoint = _post(gateway, "/v1/webhooks/endpoints", {"url": url})["id"]
    pgbench = PgBench(gateway.stack.postgres, clients=8, scale=10)
    transactions = [pgbench.per_second(PGBENCH_S)]
    rates, ratios = list[float](), list[float]()
    for _ in range(rounds):
        rates.append(_sent_again(gateway, receiver, endpoint, payments * EVENTS_OF_A_PAYMENT))
        transactions.append(pgbench.per_second(PGBENCH_S))
        ratios.append(rates[-1] / ((transactions[-2] + transactions[-1]) / 2))
        report.step(f"{rates[-1]:,.0f} deliveries a second, {ratios[-1]:.3f} × pgbench")
    table = Table(title="Webhooks of one worker to one endpoint", title_justify="left")
    for heading in ("deliveries a second", "aim", "× pgbench"):
        table.add_column(heading, justify="right")
    table.add_row(f"{statistics.median(rates):,.0f}", f"{AIM}", f"{statistics.median(ratios):.3f}")
    report.console.print(table)


def _sent_again(gateway: Gateway, receiver: Receiver, endpoint: str, expected: int) -> float:
    """Deliveries per second, from the first to the last arrival. Raises LoadRefused."""
    receiver.arrived.clear()
    receiver.ids.clear()
    count = _post(gateway, f"/v1/webhooks/endpoints/{endpoint}/replay", {})["count"]
    if count != expected:
        raise LoadRefused(f"{count} events are sent again instead of {expected}.")
    wait_until(lambda: len(receiver.ids) == count, "Not all webhooks arrived.", timeout_s=SENDING_TIMEOUT_S)
    return (len(receiver.ids) - 1) / (receiver.arrived[-1] - receiver.arrived[0])


def _post(gateway: Gateway, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.stack.port}{path}",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {gateway.api_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


if __name__ == "__main__":
    sys.exit(main())
