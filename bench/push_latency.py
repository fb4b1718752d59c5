"""How long a payment takes to reach a Socket.IO client: `python -m bench.push_latency`, beside a running demo.

One payment at a time. It measures how long each payment's last push (`completed`) takes to reach the client's handler:
from the event's own timestamp, which the relay takes before it commits, and from the answer of POST /payments.
"""

from __future__ import annotations

import argparse
import queue
import statistics
import sys
import time
from datetime import datetime
from typing import Any

import requests
import socketio

PASSWORD = "SecurePass123!"
WAIT_S = 30.0


def main() -> int:
    options = _options()
    session = requests.Session()
    try:
        token = _log_in(session, options.url)
        from_event, from_answer = _measure(session, options.url, token, options.payments)
    except (requests.RequestException, socketio.exceptions.SocketIOError) as error:
        print(f"The demo at {options.url} cannot be used: {error}", file=sys.stderr)
        return 1
    print(f"{options.payments} payments, one at a time; milliseconds until the client receives `completed`:")
    print(_row("from the event's timestamp", from_event))
    print(_row("from the answer of the POST", from_answer))
    return 0


def _measure(session: requests.Session, url: str, token: str, count: int) -> tuple[list[float], list[float]]:
    arrivals: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
    client = socketio.Client()
    client.on("transaction_update", lambda update: arrivals.put((time.time(), update)))
    client.connect(url, auth={"token": token})
    from_event, from_answer = [], []
    try:
        for _ in range(count):
            payment = {
                "amount": "0.01",
                "source_wallet_id": "acc_sender_123",
                "destination": "acc_recipient_456",
            }
            answer = session.post(f"{url}/api/v1/payments", json=payment, timeout=WAIT_S)
            answered_at = time.time()
            answer.raise_for_status()
            arrived_at, update = _completed(arrivals, answer.json()["payment_id"])
            happened_at = datetime.fromisoformat(update["transaction"]["updated_at"]).timestamp()
            from_event.append((arrived_at - happened_at) * 1000)
            from_answer.append((arrived_at - answered_at) * 1000)
            time.sleep(0.05)  # not a load: the machine is to be idle
    finally:
        client.disconnect()
    return from_event, from_answer


def _completed(
    arrivals: queue.Queue[tuple[float, dict[str, Any]]], payment_id: str
) -> tuple[float, dict[str, Any]]:
    while True:
        arrived_at, update = arrivals.get(timeout=WAIT_S)
        transaction = update["transaction"]
        if transaction["id"] == payment_id and transaction["status"] == "completed":
            return arrived_at, update


def _log_in(session: requests.Session, url: str) -> str:
    credentials = {"email": "sender@example.com", "password": PASSWORD}
    answer = session.post(f"{url}/api/v1/auth/login", json=credentials, timeout=WAIT_S)
    answer.raise_for_status()
    token: str = answer.json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return token


def _row(name: str, values: list[float]) -> str:
    p95 = statistics.quantiles(values, n=20)[-1]
    return f"  {name:30} median {statistics.median(values):6.1f}   p95 {p95:6.1f}   max {max(values):6.1f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:5000")
    parser.add_argument("--payments", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
