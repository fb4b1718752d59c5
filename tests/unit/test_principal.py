"""What is stored of a principal has one spelling for ever: events are sealed with it, keys and limits are found by it."""

from __future__ import annotations

import uuid

import pytest

from app.principal import SYSTEM, Principal

USER, SESSION = uuid.UUID(int=1), uuid.UUID(int=2)
TENANT, KEY = uuid.UUID(int=3), uuid.UUID(int=4)

A_USER = Principal.of_user(USER, SESSION, "192.0.2.1")
A_BACKEND = Principal.of_api_key(TENANT, KEY, "192.0.2.2")
THE_DEMO = Principal.of_demo_tenant(TENANT, None)
OLIVE = Principal.of_command("olive")


@pytest.mark.parametrize(
    ("principal", "actor"),
    [
        (A_USER, f"usr_{USER.hex}"),
        (A_BACKEND, f"key_{KEY.hex}"),
        (THE_DEMO, f"tenant_{TENANT.hex}"),
        (OLIVE, "cli:olive"),
        (SYSTEM, "system"),
    ],
)
def test_what_events_name(principal: Principal, actor: str) -> None:
    assert principal.event_actor == actor


def test_idempotency_keys_belong_to_the_user_or_the_tenant() -> None:
    assert A_USER.idempotency_owner == f"user\n{USER.hex}"
    rotated = Principal.of_api_key(TENANT, uuid.uuid4(), "192.0.2.9")
    owners = {principal.idempotency_owner for principal in (A_BACKEND, rotated, THE_DEMO)}
    assert owners == {f"tenant\n{TENANT.hex}"}


def test_requests_count_for_the_user_or_the_tenant() -> None:
    assert A_USER.rate_limit_bucket == USER.hex
    assert {A_BACKEND.rate_limit_bucket, THE_DEMO.rate_limit_bucket} == {f"tenant:{TENANT.hex}"}
