"""Wrong API keys are limited by address and then cost no query; readiness is answered from the last second's checks."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.services.operator import health
from app.services.tenants import api_keys, key_changes
from tests.support.tenants import make_merchant


@pytest.fixture(scope="module")
def strict_app(settings: dict[str, str]) -> Flask:
    return create_app({**settings, "RATE_LIMIT_WRONG_KEYS": "3/minute"})


def test_wrong_keys_are_limited_by_address(strict_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    right, revoked = make_merchant(strict_app).api_key, make_merchant(strict_app).api_key
    client, address = strict_app.test_client(), f"10.{secrets.randbelow(250)}.{secrets.randbelow(250)}.7"

    def get(key: str, from_address: str = address) -> Any:
        environ = {"REMOTE_ADDR": from_address}
        return client.get("/api/v1/payments", headers={"X-TENANT-API-KEY": key}, environ_overrides=environ)

    assert get(right).status_code == get(revoked).status_code == 200
    with strict_app.app_context():
        key_changes.revoke_api_key(revoked[: api_keys.PREFIX_LENGTH])
    wrong = [revoked, api_keys.new_key(), "mlp_x"]
    assert [get(key).status_code for key in wrong] == [401] * 3
    assert get(right).status_code == 200  # it was right before
    with monkeypatch.context() as patch:
        patch.setattr(api_keys, "reading", None)  # no query may be made
        for key in (api_keys.new_key(), revoked, "mlp_x"):
            refused = get(key)
            assert refused.status_code == 429
            assert refused.json["success"] is False and "wrong API keys" in refused.json["error"]
            assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert get(api_keys.new_key(), "10.255.0.1").status_code == 401


def test_readiness_is_cached_and_names_its_checks_to_this_machine_only(
    strict_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(health, "READINESS_LIFE_S", 60.0)
    checks = health.readiness
    monkeypatch.setattr(health, "readiness", lambda config: made.append(1) or checks(config))
    client = strict_app.test_client()
    own = [client.get("/health/ready").json for _ in range(5)]
    assert len(made) == 1 and {"database", "relay"} <= own[0]["checks"].keys()
    for environ in ({"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}):
        answer = client.get("/api/v1/health/ready", environ_overrides=environ)
        assert answer.json.keys() == {"status", "version"}
        assert answer.json["status"] == own[0]["status"]
