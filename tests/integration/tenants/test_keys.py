"""API keys: shown once, stored as a hash, ended at once."""

from __future__ import annotations

import hashlib
import re
import uuid

import pytest
from flask import Flask

from app.errors import InvalidApiKey, InvalidRequest, NotFound
from app.services.tenants import api_keys, key_changes, tenants
from tests.support.concurrency import concurrently
from tests.support.tenants import MerchantClient, make_merchant

KEY = re.compile(r"mlp_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


def _opens(app: Flask, key: str) -> bool:
    with app.app_context():
        try:
            api_keys.authenticate(key)
        except InvalidApiKey:
            return False
        return True


def test_a_key_names_its_tenant_and_only_its_hash_is_stored(
    app: Flask, merchant: MerchantClient, rows
) -> None:
    assert KEY.fullmatch(merchant.api_key)
    with app.app_context():
        tenant_id, key_id, *_ = api_keys.authenticate(merchant.api_key)
    assert tenant_id == merchant.tenant_id
    ((stored,),) = rows("SELECT to_jsonb(k)::text FROM api_keys k WHERE id = :id", id=key_id)
    ((digest, prefix),) = rows("SELECT secret_hash, prefix FROM api_keys WHERE id = :id", id=key_id)
    assert bytes(digest) == hashlib.sha256(merchant.api_key.encode()).digest()
    assert prefix == merchant.api_key[:16] and merchant.api_key[17:] not in stored


def test_every_key_is_another(app: Flask) -> None:
    assert len({make_merchant(app).api_key for _ in range(20)}) == 20


def test_almost_correct_keys_are_refused(app: Flask, merchant: MerchantClient) -> None:
    key = merchant.api_key
    last = "A" if key[-1] != "A" else "B"
    wrong = [
        key[:-1] + last,
        key[:-1],
        key + "A",
        key.upper(),
        f" {key}",
        key[:16],
        key[:17],
        "",
        "mlp_",
        "x" * 5000,
        key[:16] + "_" + "A" * 43,
        key[:17] + "é" * 43,
        key.replace("_", "-"),
        "demo_tenant_key_7Jt2mQ9sVx4M",
        "mlp_" + "0" * 12 + key[16:],
    ]
    assert [text for text in wrong if _opens(app, text)] == []
    assert _opens(app, key)


def test_revoked_key_is_refused_and_others_stay_valid(app: Flask, merchant: MerchantClient) -> None:
    with app.app_context():
        second = key_changes.add_api_key(merchant.tenant_id, "second")[1]
        key_changes.revoke_api_key(merchant.api_key[:16])
        assert not _opens(app, merchant.api_key) and _opens(app, second)
        with pytest.raises(NotFound):
            key_changes.revoke_api_key(merchant.api_key[:16])
        with pytest.raises(NotFound):
            key_changes.revoke_api_key("mlp_000000000000")


def test_one_of_many_revocations_at_once_counts(app: Flask, merchant: MerchantClient, rows) -> None:
    def revoke(_: int) -> bool:
        with app.app_context():
            try:
                key_changes.revoke_api_key(merchant.api_key[:16])
            except NotFound:
                return False
            return True

    assert sorted(concurrently(8, revoke)) == [False] * 7 + [True]
    found = rows(
        "SELECT type FROM outbox WHERE object_id = :id AND type = 'api_key.revoked' "
        "UNION ALL SELECT type FROM events WHERE object_id = :id AND type = 'api_key.revoked'",
        id=str(merchant.tenant_id),
    )
    assert len(found) == 1


def test_the_audit_trail_has_every_step_and_no_key(
    app: Flask, merchant: MerchantClient, publish, rows
) -> None:
    with app.app_context():
        key_changes.revoke_api_key(merchant.api_key[:16])
    publish()
    found = rows(
        "SELECT type, is_public, tenant_id, data::text AS data, actor FROM events WHERE object_id = :id ORDER BY seq",
        id=str(merchant.tenant_id),
    )
    assert [row.type for row in found] == ["tenant.created", "api_key.created", "api_key.revoked"]
    assert not any(row.is_public for row in found)
    assert {row.tenant_id for row in found} == {merchant.tenant_id} and {row.actor for row in found} == {
        "system"
    }
    assert not any(merchant.api_key[17:] in row.data for row in found)


def test_a_name_and_a_tenant_are_needed(app: Flask) -> None:
    with app.app_context():
        for name in ("", "  ", "a\nb", "x" * 101):
            with pytest.raises(InvalidRequest):
                tenants.create_tenant(name, "starter")
        with pytest.raises(NotFound):
            key_changes.add_api_key(uuid.uuid4(), "key of an unknown tenant")
