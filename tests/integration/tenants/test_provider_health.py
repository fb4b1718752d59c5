"""A failing provider is unhealthy in every process until it recovers; without Redis every provider counts as healthy."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask

from app import clock, create_app
from app.services.provider_access import health as provider_health
from app.services.provider_access.health import MIN_FAILURES, ProviderHealth


@pytest.fixture
def provider() -> str:
    return f"provider-{uuid.uuid4().hex[:8]}"


def test_a_failing_provider_is_unhealthy_until_it_is_long_ago(app: Flask, provider: str) -> None:
    with app.app_context():
        for _ in range(MIN_FAILURES - 1):
            provider_health.record(provider, False)
        assert provider_health.is_healthy(provider)
        provider_health.record(provider, False)
        assert not provider_health.is_healthy(provider)
        assert not ProviderHealth(app.config["REDIS_URL"]).is_healthy(provider)  # as another process sees it
        clock.travel(clock.timedelta(seconds=180))
        assert provider_health.is_healthy(provider)


def test_one_that_mostly_answers_is_healthy(app: Flask, provider: str) -> None:
    with app.app_context():
        for _ in range(MIN_FAILURES):
            provider_health.record(provider, False)
            provider_health.record(provider, True)
        assert provider_health.is_healthy(provider)
        provider_health.record(provider, False)
        assert not provider_health.is_healthy(provider)
        assert provider_health.is_healthy("another")


def test_without_redis_every_provider_is_healthy(settings: dict[str, str], provider: str, capsys) -> None:
    app = create_app({**settings, "REDIS_URL": "redis://127.0.0.1:1/0"})
    with app.app_context():
        for _ in range(2 * MIN_FAILURES):
            provider_health.record(provider, False)
        assert provider_health.is_healthy(provider)
    assert capsys.readouterr().err.count("redis.away") == 1
