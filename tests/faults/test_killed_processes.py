"""A thousand payments, deposits, withdrawals and batches while the web and the relay are killed again and again.

Seen failing with customers who retry without a key.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.conftest import Arena
from tests.support.crowd import Call, all_at_once
from tests.support.factories import make_user, make_wallet
from tests.support.soundness import query, wait_published
from tests.support.stack import Stack
from tests.support.town import Town
from tests.support.waiting import SLACK_S, wait_until


@pytest.mark.slow
def test_a_town_lives_on_while_web_and_relay_die(own_arena: Arena, tmp_path: Path) -> None:
    town = Town(own_arena.app, own_arena.url, tmp_path, people=12, processes=3)
    with town.living(least=90):
        for name in ("relay", "web", "relay", "web", "web", "relay", "web"):
            own_arena.wait_for_more_payments(40)
            own_arena.stack.kill(name)
            own_arena.stack.start(name)
    assert town.operations >= 1_000
    assert town.broken > 0, "nobody was hit by a kill"
    # The relay is back: every payment becomes final.
    wait_published(own_arena.app)
    own_arena.assert_sound(timeout_s=1)
    town.assert_every_word_was_kept()


def test_a_standby_relay_takes_over(own_arena: Arena) -> None:
    """Two relays, the active one is killed: the other publishes within seconds, and the log stays one chain."""
    sender = make_user(own_arena.app)
    source, target = (
        make_wallet(own_arena.app, sender, balance="100"),
        make_wallet(own_arena.app, make_user(own_arena.app)),
    )
    body = {"amount": 1, "source_wallet_id": source, "destination": target}
    call = Call("/api/v1/payments", body, sender.access_token)
    (own_arena.stack.folder / "standby").mkdir()
    standby = Stack(own_arena.stack.environment, own_arena.stack.folder / "standby")

    def relays() -> int:
        """Relays that are connected, the active one or not."""
        asked = "SELECT FROM pg_stat_activity WHERE application_name = 'malipo-relay' AND datname = current_database()"
        return len(query(own_arena.app, asked))

    try:
        alone = relays()
        assert alone
        standby.start("relay")
        wait_until(lambda: relays() == 2 * alone, "the standby to stand by")
        all_at_once(own_arena.url, [call] * 5)
        wait_published(own_arena.app)
        own_arena.stack.kill("relay")
        all_at_once(own_arena.url, [call] * 5)
        wait_published(own_arena.app, timeout_s=5 + SLACK_S)
        own_arena.assert_sound(timeout_s=1)
    finally:
        standby.kill_all()
