"""Payments, deposits, withdrawals and batches while the web and the relay are killed again and again.

Seen failing with customers who retry without a key.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import StackWithApp
from tests.support.factories import make_user, make_wallet
from tests.support.invariants import query, wait_published
from tests.support.simultaneous_requests import Call, send_simultaneously
from tests.support.stack import Stack
from tests.support.waiting import SLACK_S, wait_until
from tests.support.wallet_load import WalletLoad


@pytest.mark.slow
def test_wallet_load_survives_kills_of_web_and_relay(own_stack: StackWithApp, tmp_path: Path) -> None:
    load = WalletLoad(own_stack.app, own_stack.url, tmp_path, users=6)
    with load.running(least=20):
        for name in ("web", "relay", "web"):
            own_stack.wait_for_more_payments(20)
            own_stack.processes.kill(name)
            own_stack.processes.start(name)
    assert load.operations >= 120
    assert load.failed_connections > 0, "no request was interrupted by a kill"
    # The relay is back: every payment becomes final.
    wait_published(own_stack.app)
    own_stack.assert_invariants(timeout_s=1)
    load.assert_answers_match_ledger()


def test_standby_relay_becomes_active(own_stack: StackWithApp) -> None:
    """Two relays, the active one is killed: the other publishes within seconds, and the log stays one chain."""
    sender = make_user(own_stack.app)
    source, target = (
        make_wallet(own_stack.app, sender, balance="100"),
        make_wallet(own_stack.app, make_user(own_stack.app)),
    )
    body = {"amount": 1, "source_wallet_id": source, "destination": target}
    call = Call("/api/v1/payments", body, sender.access_token)
    (own_stack.processes.folder / "standby").mkdir()
    standby = Stack(own_stack.processes.environment, own_stack.processes.folder / "standby")

    def relays() -> int:
        """Relays that are connected, the active one or not."""
        asked = "SELECT FROM pg_stat_activity WHERE application_name = 'malipo-relay' AND datname = current_database()"
        return len(query(own_stack.app, asked))

    try:
        alone = relays()
        assert alone
        standby.start("relay")
        wait_until(lambda: relays() == 2 * alone, "the standby to stand by")
        send_simultaneously(own_stack.url, [call] * 5)
        wait_published(own_stack.app)
        own_stack.processes.kill("relay")
        send_simultaneously(own_stack.url, [call] * 5)
        wait_published(own_stack.app, timeout_s=5 + SLACK_S)
        own_stack.assert_invariants(timeout_s=1)
    finally:
        standby.kill_all()
        own_stack.processes.start("relay")


@pytest.mark.parametrize("killed", ["relay", "push process"])
def test_relay_and_its_push_process_end_together(own_stack: StackWithApp, killed: str) -> None:
    """Breaks when a push process outlives its relay (a second would wait for its lock), or dies unnoticed."""
    relay = psutil.Process(own_stack.processes.pid("relay"))
    (push_process,) = relay.children()
    pair = {"relay": relay, "push process": push_process}
    pair[killed].kill()
    try:
        wait_until(lambda: not any(_is_alive(process) for process in pair.values()), "both to end")
    finally:
        own_stack.processes.kill("relay")
        own_stack.processes.start("relay")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
