"""Random money for some seconds while parts of the house die: afterwards every cent and every event is in its place."""

from __future__ import annotations

from pathlib import Path

import redis

from app.extensions import db
from tests.storms.conftest import a_site
from tests.storms.storm import Storm, assert_survived
from tests.support.soundness import assert_sound


def test_web_and_relay_are_killed_again_and_again(tmp_path: Path) -> None:
    """A tenth of the answers is lost as well. Breaks when keys are ignored: the money of a lost answer moves again."""
    with a_site(tmp_path) as site:
        with Storm(site, clients=6, operations=170) as storm:
            for answers, victim in ((80, "app"), (200, "relay"), (350, "app"), (500, "relay"), (700, "app")):
                storm.wait_for_answers(answers)
                site.house.kill(victim)
                site.house.start(victim)
        assert len(storm.told.payments) > 500
        assert_survived(site, storm)
        assert_sound(site.app)


def test_redis_is_flushed_and_killed(tmp_path: Path) -> None:
    """Breaks when the write path keeps anything in Redis that it cannot do without."""
    with a_site(tmp_path) as site:
        with Storm(site, clients=4, operations=60, seed=2) as storm:
            storm.wait_for_answers(40)
            with redis.Redis.from_url(site.redis.url()) as connection:
                connection.flushall()
            storm.wait_for_answers(90)
            site.redis.kill()
            storm.wait_for_answers(140)
            site.redis.start()
        assert_survived(site, storm)
        assert_sound(site.app)


def test_postgres_is_killed_and_starts_again(tmp_path: Path) -> None:
    """fsync is on here. Breaks when a disconnect is answered by acting again under another key, or by a 500."""
    with a_site(tmp_path, has_own_postgres=True) as site:
        with Storm(site, clients=4, operations=60, seed=3) as storm:
            for answers in (50, 130):
                storm.wait_for_answers(answers)
                site.postgres.kill()
                site.postgres.start()
        with site.app.app_context():
            db.engine.dispose()  # this process's own connections died too
        assert_survived(site, storm)
        assert_sound(site.app, timeout_s=30)
