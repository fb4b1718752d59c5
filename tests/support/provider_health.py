"""Provider health in the shared Redis, which must not affect the next test's `auto`."""

from __future__ import annotations

import redis
from flask import Flask


def forget_health(app: Flask) -> None:
    """Every provider counts as healthy again."""
    with redis.Redis.from_url(app.config["REDIS_URL"]) as client:
        if keys := list(client.scan_iter("malipo:health:*")):
            client.delete(*keys)
