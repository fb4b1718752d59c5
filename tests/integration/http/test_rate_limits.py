"""Limits by kind and by whom; Redis away means counting in memory, never a refusal or an error."""

from __future__ import annotations

import secrets

import pytest
from flask import Flask

from app import create_app
from app.errors import RateLimitExceeded
from app.rate_limits import Limit, RateLimiter
from tests.support import servers
from tests.support.factories import make_user


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that a busy machine makes late is not away: what is counted here is counted there."""
    monkeypatch.setattr("app.redis_limits.REDIS_TIMEOUT_S", 10.0)


@pytest.fixture
def strict_app(settings: dict[str, str], redis_server) -> Flask:
    """Low limits on counters of its own (another database number of this process's Redis)."""
    import redis

    url = redis_server.url(7)
    client = redis.Redis.from_url(url)
    client.flushdb()
    client.close()
    limits = {
        "RATE_LIMIT_AUTH": "3/minute",
        "RATE_LIMIT_PAYMENTS": "2/minute",
        "RATE_LIMIT_DEFAULT": "4/minute",
    }
    return create_app({**settings, "REDIS_URL": url, **limits})


def _wrong_login() -> dict[str, str]:
    """Each for another user: wrong passwords are counted by user, too."""
    return {"email": f"{secrets.token_hex(6)}@example.com", "password": "Wrong1234!"}


def test_sign_ins_are_limited_by_address(strict_app: Flask) -> None:
    client = strict_app.test_client()

    def log_in(path: str, address: str):
        return client.post(path, json=_wrong_login(), environ_overrides={"REMOTE_ADDR": address})

    assert [log_in("/api/v1/auth/login", "10.0.0.1").status_code for _ in range(3)] == [401] * 3
    refused = log_in("/v1/auth/login", "10.0.0.1")  # the other prefix is no way round
    assert refused.status_code == 429
    assert refused.get_json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert log_in("/api/v1/auth/login", "10.0.0.2").status_code == 401


def test_a_spoofed_address_is_no_new_address(strict_app: Flask) -> None:
    client = strict_app.test_client()
    answers = [
        client.post(
            "/api/v1/auth/login",
            json=_wrong_login(),
            headers={
                "X-Forwarded-For": f"10.9.9.{number}",
                "X-Real-IP": "1.2.3.4",
                "Forwarded": "for=1.2.3.4",
            },
            environ_overrides={"REMOTE_ADDR": "10.0.0.3"},
        ).status_code
        for number in range(4)
    ]
    assert answers[-1] == 429


def test_behind_one_proxy_only_the_last_address_counts(settings: dict[str, str], strict_app: Flask) -> None:
    behind = create_app(
        {
            **settings,
            "REDIS_URL": strict_app.config["REDIS_URL"],
            "RATE_LIMIT_AUTH": "3/minute",
            "TRUSTED_PROXIES": "1",
        }
    )
    client = behind.test_client()

    def log_in(forwarded: str) -> int:
        return client.post(
            "/api/v1/auth/login",
            json=_wrong_login(),
            headers={"X-Forwarded-For": forwarded},
        ).status_code

    assert [log_in(f"6.6.6.{n}, 10.1.1.1") for n in range(4)][-1] == 429
    assert log_in("6.6.6.1, 10.1.1.2") != 429


def test_payments_are_limited_by_user_and_apart_from_the_rest(strict_app: Flask) -> None:
    client = strict_app.test_client()
    one, other = make_user(strict_app), make_user(strict_app)
    codes = [client.post("/api/v1/payments", json={}, headers=one.headers).status_code for _ in range(2)]
    codes.append(client.post("/api/v1/payments/batch", json={}, headers=one.headers).status_code)
    assert codes == [400, 400, 429]
    assert client.post("/api/v1/payments", json={}, headers=other.headers).status_code == 400
    assert [client.get("/api/v1/accounts", headers=one.headers).status_code for _ in range(5)] == [
        200
    ] * 4 + [429]


def test_health_is_not_limited(strict_app: Flask) -> None:
    client = strict_app.test_client()
    assert {client.get("/health").status_code for _ in range(20)} == {200}


def test_without_redis_it_counts_in_memory(settings: dict[str, str], capsys) -> None:
    app = create_app({**settings, "REDIS_URL": "redis://127.0.0.1:1/0", "RATE_LIMIT_AUTH": "3/minute"})
    client = app.test_client()
    codes = [client.post("/api/v1/auth/login", json={}).status_code for _ in range(5)]
    assert codes == [400, 400, 400, 429, 429]
    assert capsys.readouterr().err.count("redis.away") == 1


def test_each_outage_of_redis_is_logged_once_and_so_is_its_end(
    app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Breaks when only the first outage of a process's life is logged, or every request of one."""
    monkeypatch.setattr("app.redis_client.PAUSE_S", 0.0)
    server = servers.new_redis()
    try:
        limiter = RateLimiter(
            {
                **{f"RATE_LIMIT_{limit.name}": "9/minute" for limit in Limit},
                "REDIS_URL": server.url(),
                "RATE_LIMIT_AUTH": "2/minute",
            }
        )
        limiter.hit(Limit.AUTH, "a")
        for bucket in ("b", "c"):
            server.kill()
            limiter.hit(Limit.AUTH, bucket)
            limiter.hit(Limit.AUTH, bucket)
            server.start()
            limiter.hit(Limit.AUTH, bucket)
            limiter.hit(Limit.AUTH, bucket)  # the first two that Redis counts
            with pytest.raises(RateLimitExceeded):
                limiter.hit(Limit.AUTH, bucket)
            logged = capsys.readouterr().err
            assert (logged.count("redis.away"), logged.count("redis.available")) == (1, 1), logged
    finally:
        server.destroy()


def test_a_merchants_limit_is_kept_by_two_processes(strict_app: Flask) -> None:
    """Breaks when what a process has counted and not written yet lets more through than a hundredth of the limit."""
    limited = {**strict_app.config, "RATE_LIMIT_MERCHANT": "400/hour"}
    processes, passed = [RateLimiter(limited) for _ in range(2)], 0
    for number in range(600):
        try:
            processes[number % 2].hit(Limit.MERCHANT, "a merchant")
        except RateLimitExceeded:
            continue
        passed += 1
    assert 400 <= passed <= 400 + 2 * 4
