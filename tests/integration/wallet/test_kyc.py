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


def upload_bytes(client: FlaskClient, user: Person, content: bytes) -> TestResponse:
    """The same with a form written by hand: the test client would put a large one into a temporary file."""
    parts = (
        b'--cut\r\nContent-Disposition: form-data; name="document_type"\r\n\r\npassport\r\n',
        b'--cut\r\nContent-Disposition: form-data; name="document"; filename="a.pdf"\r\n\r\n',
        content,
        b"\r\n--cut--\r\n",
    )
    return client.post(
        "/api/v1/kyc/documents",
        data=b"".join(parts),
        content_type="multipart/form-data; boundary=cut",
        headers=user.headers,
    )


def status_of(client: FlaskClient, user: Person) -> dict[str, Any]:
    shown: dict[str, Any] = client.get("/api/v1/kyc/status", headers=user.headers).json
    return shown


def stored(app: Flask) -> set[Path]:
    return set((Path(app.config["VAR_DIR"]) / "kyc").glob("*"))


def test_the_whole_way(app: Flask, client: FlaskClient, rows: Rows, run_due_jobs: Callable[[], int]) -> None:
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
    assert shown["limits"] == {
        "daily_transaction": "10000.00",
        "monthly_transaction": "50000.00",
        "currency": "USD",
    }
    recorded = rows("SELECT type, actor FROM outbox WHERE object_id = :id ORDER BY id", id=request_id)
    assert recorded == [
        ("kyc.submitted", user.public_id), ("kyc.document_uploaded", user.public_id),
        ("kyc.under_review", user.public_id), ("kyc.verified", "system"),
    ]  # fmt: skip


def test_verifying_again_changes_nothing(app: Flask, client: FlaskClient, rows: Rows) -> None:
    """A worker may die between its work and its row's "done", and the job runs again."""
    user = make_user(app, tier=0)
    request_id = submit(client, user).json["request_id"]
    upload(client, user)
    with app.app_context():
        verify_kyc_request({"request_id": request_id})
        first = status_of(client, user)
        clock.travel(timedelta(minutes=1))
        verify_kyc_request({"request_id": request_id})
    assert first["status"] == "verified"
    assert status_of(client, user) == first
    assert rows(
        "SELECT count(*) FROM outbox WHERE type = 'kyc.verified' AND object_id = :id", id=request_id
    ) == [(1,)]


def test_a_left_over_job_verifies_nobody_where_that_is_off(
    app: Flask, client: FlaskClient, settings: dict[str, str]
) -> None:
    """Broken by: asking the setting only when the job is made."""
    user = make_user(app, tier=0)
    request_id = submit(client, user).json["request_id"]
    upload(client, user)
    strict = create_app(
        settings | {"GATEWAY_ENV": "production", "REALTIME": "external", "KYC_AUTO_VERIFY_S": ""}
    )
    assert strict.config["KYC_AUTO_VERIFY_S"] is None
    with strict.app_context():
        verify_kyc_request({"request_id": request_id})
    assert status_of(client, user)["status"] == "under_review"
    assert status_of(client, user)["verification_level"] == "tier_0"


def test_no_job_is_made_where_that_is_off(app: Flask, settings: dict[str, str], rows: Rows) -> None:
    user = make_user(app, tier=0)
    strict = create_app(
        settings | {"GATEWAY_ENV": "production", "REALTIME": "external", "KYC_AUTO_VERIFY_S": ""}
    )
    request_id = submit(strict.test_client(), user).json["request_id"]
    assert upload(strict.test_client(), user).status_code == 201
    assert rows("SELECT 1 FROM jobs WHERE ref = :ref", ref=request_id) == []


def test_details_alone_verify_nobody(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=0)
    request_id = submit(client, user).json["request_id"]
    with app.app_context():
        verify_kyc_request({"request_id": request_id})
        with pytest.raises(InvalidRequest):
            kyc_service.decide(request_id, "verified", reason=None, actor_name="olga")
    assert status_of(client, user)["verification_level"] == "tier_0"


def test_an_operator_rejects_and_the_user_tries_again(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app, tier=0)
    request_id = submit(client, user).json["request_id"]
    upload(client, user)
    with app.app_context():
        with pytest.raises(InvalidRequest):
            kyc_service.decide(request_id, "rejected", reason=None, actor_name="olga")
        kyc_service.decide(request_id, "rejected", reason="The photo is blurred.", actor_name="olga")
        for verdict in ("verified", "rejected"):
            with pytest.raises(InvalidRequest):
                kyc_service.decide(request_id, verdict, reason="x", actor_name="olga")
    shown = status_of(client, user)
    assert (shown["status"], shown["rejection_reason"]) == ("rejected", "The photo is blurred.")
    assert (shown["verification_level"], shown["verified_at"]) == ("tier_0", None)
    assert code_of(upload(client, user)) == (400, "INVALID_REQUEST")
    [(actor, data)] = rows(
        "SELECT actor, data FROM outbox WHERE type = 'kyc.rejected' AND object_id = :i", i=request_id
    )
    assert (actor, data) == ("olga", {"user": user.public_id, "status": "rejected"})
    again = submit(client, user)
    assert again.status_code == 201
    assert again.json["request_id"] != request_id
    assert (status_of(client, user)["status"], status_of(client, user)["rejection_reason"]) == (
        "pending",
        None,
    )


def test_an_operator_may_not_mistake_the_request(app: Flask) -> None:
    with app.app_context():
        for name in ("kyc_req_" + "0" * 32, "kyc_req_1", "usr_" + "0" * 32, ""):
            with pytest.raises(NotFound):
                kyc_service.decide(name, "verified", reason=None, actor_name="olga")


def test_a_higher_tier_is_kept(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=3)
    request_id = submit(client, user).json["request_id"]
    upload(client, user)
    with app.app_context():
        kyc_service.decide(request_id, "verified", reason=None, actor_name="olga")
    assert status_of(client, user)["verification_level"] == "tier_3"


@pytest.mark.parametrize("until", ["pending", "under_review", "verified"])
def test_one_request_at_a_time(app: Flask, client: FlaskClient, until: str) -> None:
    user = make_user(app, tier=0)
    request_id = submit(client, user).json["request_id"]
    if until != "pending":
        upload(client, user)
    if until == "verified":
        with app.app_context():
            kyc_service.decide(request_id, "verified", reason=None, actor_name="olga")
    assert code_of(submit(client, user)) == (400, "INVALID_REQUEST")
    assert status_of(client, user)["request_id"] == request_id


def test_submitting_at_once_makes_one_request(app: Flask, rows: Rows) -> None:
    """Broken by: looking for an open request without locking the user."""
    user = make_user(app, tier=0)
    answers = together(10, lambda _: submit(app.test_client(), user).status_code)
    assert Counter(answers) == {201: 1, 400: 9}
    assert rows("SELECT count(*) FROM kyc_requests WHERE user_id = :id", id=user.user_id) == [(1,)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"first_name": None}, "first_name"),
        ({"last_name": "x" * 101}, "last_name"),
        ({"date_of_birth": "15.05.1990"}, "date_of_birth"),
        ({"date_of_birth": "1990-02-30"}, "date_of_birth"),
        ({"date_of_birth": "2999-01-01"}, "date_of_birth"),
        ({"date_of_birth": "1800-01-01"}, "date_of_birth"),
        ({"date_of_birth": 19900515}, "date_of_birth"),
        ({"document_expiry": "2001-01-01"}, "document_expiry"),
        ({"document_expiry": "never"}, "document_expiry"),
        ({"address": "12 Moi Avenue"}, "address"),
        ({"address": {}}, "address"),
        ({"address": {str(line): "x" for line in range(21)}}, "address"),
        ({"document_type": "two words"}, "document_type"),
        ({"document_number": "x" * 65}, "document_number"),
        ({"ssn": "x" * 33}, "ssn"),
        ({"status": "verified"}, "status"),
        ({"tier": 2}, "tier"),
    ],
)
def test_submit_refuses(app: Flask, client: FlaskClient, changes: dict[str, object], field: str) -> None:
    user = make_user(app, tier=0)
    answer = submit(client, user, **changes)
    assert code_of(answer) == (400, "INVALID_REQUEST")
    assert answer.json["error"]["field"].startswith(field)
    assert status_of(client, user)["status"] == "not_started"


def test_optional_details_may_be_left_out(app: Flask, client: FlaskClient) -> None:
    body = {name: value for name, value in details().items() if name not in ("ssn", "document_expiry")}
    answer = client.post("/api/v1/kyc/submit", json=body, headers=make_user(app).headers)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("content", "media_type"), [(PDF, "application/pdf"), (PNG, "image/png"), (JPG, "image/jpeg")]
)
def test_the_content_decides_the_type(
    app: Flask, client: FlaskClient, content: bytes, media_type: str
) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    answer = upload(client, user, content, name="../../etc/holiday.exe")
    assert (answer.status_code, answer.json["media_type"]) == (201, media_type)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"hello", b"MZ" + PDF, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + b"\0" * 40,
        PDF.replace(b"%%EOF", b""), PDF + b"\0" * 5000, PNG[:-12], JPG[:-2], b"%PDF-", b"\xff\xd8\xff",
    ],
)  # fmt: skip
def test_other_content_is_refused_whatever_its_name(app: Flask, client: FlaskClient, content: bytes) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    before = stored(app)
    answer = upload(client, user, content, name="passport.pdf")
    assert code_of(answer) == (400, "INVALID_REQUEST")
    assert answer.json["error"]["field"] == "document"
    assert stored(app) == before
    assert status_of(client, user)["status"] == "pending"


@pytest.mark.parametrize(("extra", "status"), [(0, 201), (1, 413), (200_000, 413)])
def test_a_document_has_a_most(app: Flask, client: FlaskClient, extra: int, status: int) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    size = app.config["MAX_DOCUMENT_BYTES"] + extra
    content = b"%PDF-1.4\n" + b"x" * (size - 15) + b"\n%%EOF"
    assert len(content) == size
    answer = upload_bytes(client, user, content)
    assert answer.status_code == status
    if status == 413:
        assert answer.json["error"]["code"] == "INVALID_REQUEST"


def test_no_upload_touches_the_disk_in_the_clear(app: Flask, client: FlaskClient, monkeypatch: Any) -> None:
    """Broken by: werkzeug's own streams, which spool what is larger than 500 KB."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was asked for")

    user = make_user(app, tier=0)
    submit(client, user)
    for name in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(f"tempfile.{name}", refuse)
        monkeypatch.setattr(f"werkzeug.formparser.{name}", refuse, raising=False)
    content = b"%PDF-1.4\n" + b"x" * 2_000_000 + b"\n%%EOF"
    assert upload_bytes(client, user, content).status_code == 201


def test_a_document_needs_an_open_request(app: Flask, client: FlaskClient) -> None:
    before = stored(app)
    assert code_of(upload(client, make_user(app, tier=0))) == (400, "INVALID_REQUEST")
    assert stored(app) == before


def test_a_document_is_one_file_in_a_form(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    path, headers = "/api/v1/kyc/documents", user.headers
    two = [(io.BytesIO(PDF), "a.pdf"), (io.BytesIO(PDF), "b.pdf")]
    other = {
        "document_type": "passport",
        "document": (io.BytesIO(PDF), "a.pdf"),
        "more": (io.BytesIO(PDF), "b.pdf"),
    }
    as_json = client.post(path, json={"document_type": "passport"}, headers=headers)
    assert code_of(as_json) == (415, "INVALID_REQUEST")
    for data in (
        {"document_type": "passport"},
        {"document": (io.BytesIO(PDF), "a.pdf")},
        {"document_type": "passport", "document": "text, no file"},
        {"document_type": "pass port", "document": (io.BytesIO(PDF), "a.pdf")},
        {"document_type": "passport", "document": (io.BytesIO(PDF), "a.pdf"), "status": "verified"},
        {"document_type": "passport", "document": two},
        other,
    ):
        answer = client.post(path, data=data, headers=headers, content_type="multipart/form-data")
        assert code_of(answer) == (400, "INVALID_REQUEST"), data
    assert status_of(client, user)["status"] == "pending"


def test_documents_at_once_are_counted_and_schedule_one_job(
    app: Flask, client: FlaskClient, rows: Rows
) -> None:
    """Broken by: counting the documents without locking the request."""
    user = make_user(app, tier=0)
    request_id = submit(client, user).json["request_id"]
    before = stored(app)
    answers = together(kyc_service.MAX_DOCUMENTS + 4, lambda _: upload(app.test_client(), user).status_code)
    assert Counter(answers) == {201: kyc_service.MAX_DOCUMENTS, 400: 4}
    row_id = ids.parse(ids.KYC_REQUEST, request_id)
    assert rows("SELECT count(*) FROM kyc_documents WHERE request_id = :id", id=row_id) == [
        (kyc_service.MAX_DOCUMENTS,)
    ]
    assert len(stored(app) - before) == kyc_service.MAX_DOCUMENTS
    assert rows("SELECT count(*) FROM jobs WHERE ref = :ref", ref=request_id) == [(1,)]
    moves = rows(
        "SELECT count(*) FROM outbox WHERE type = 'kyc.under_review' AND object_id = :id", id=request_id
    )
    assert moves == [(1,)]


def test_what_is_stored_is_encrypted_and_private(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app, tier=0)
    number = f"AK{secrets.token_hex(6)}"
    content = PDF.replace(b"trailer", number.encode())
    request_id = submit(client, user, document_number=number).json["request_id"]
    before = stored(app)
    answer = upload(client, user, content)
    [file] = stored(app) - before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.stat().st_uid == os.getuid()
    assert number.encode() not in file.read_bytes()
    assert answer.json["document_id"].removeprefix("kyc_doc_") not in file.name

    row_id = ids.parse(ids.KYC_REQUEST, request_id)
    [(kept,)] = rows("SELECT details FROM kyc_requests WHERE id = :id", id=row_id)
    assert number.encode() not in bytes(kept)
    everything = rows(
        "SELECT (SELECT string_agg(k::text, '') FROM kyc_requests k), (SELECT string_agg(o::text, '') FROM outbox o), "
        "(SELECT string_agg(e::text, '') FROM events e), (SELECT string_agg(j::text, '') FROM jobs j)"
    )
    for secret in (number, "123-45-6789", "Moi Avenue", "Wanjiru"):
        assert secret not in str(everything)

    document_id = ids.parse(ids.KYC_DOCUMENT, answer.json["document_id"])
    assert document_id is not None and row_id is not None
    with app.app_context():
        assert number.encode() in sealer().open(kept, purpose=kyc_service.DETAILS_PURPOSE, row_id=row_id)
        assert kyc_files.read(file.name, document_id=document_id) == content
        with pytest.raises(CannotOpen):  # copied to another row
            sealer().open(kept, purpose=kyc_service.DETAILS_PURPOSE, row_id=ids.uuid7())
        with pytest.raises(CannotOpen):
            kyc_files.read(file.name, document_id=row_id)


def test_a_document_is_served_to_nobody(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    document_id = upload(client, user).json["document_id"]
    for path in (f"/api/v1/kyc/documents/{document_id}", f"/api/v1/kyc/{document_id}"):
        assert client.get(path, headers=user.headers).status_code == 404
    assert client.get("/api/v1/kyc/documents", headers=user.headers).status_code == 405


def test_a_stranger_sees_and_touches_only_their_own(app: Flask, client: FlaskClient) -> None:
    user, stranger = make_user(app, tier=0), make_user(app, tier=0)
    submit(client, user)
    assert status_of(client, stranger)["status"] == "not_started"
    assert code_of(upload(client, stranger)) == (400, "INVALID_REQUEST")
    assert status_of(client, user)["status"] == "pending"


@pytest.mark.parametrize(("method", "path"), [("POST", "submit"), ("POST", "documents"), ("GET", "status")])
def test_nobody_without_a_token(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(f"/api/v1/kyc/{path}", method=method, json={} if method == "POST" else None)
    assert code_of(answer) == (401, "TOKEN_MISSING")


def test_the_sweep_takes_only_old_files_without_a_row(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    before = stored(app)
    upload(client, user)
    kept = stored(app) - before
    with app.app_context():
        orphan = Path(app.config["VAR_DIR"]) / "kyc" / kyc_files.write(PDF, document_id=ids.uuid7())
        assert kyc_service.sweep_documents() == 0
        clock.travel(kyc_service.ORPHAN_LIFE + timedelta(hours=1))
        assert kyc_service.sweep_documents() == 1
    assert not orphan.exists()
    assert all(file.exists() for file in kept)


def test_statuses_move_only_forward() -> None:
    assert {
        "pending": {"under_review"}, "under_review": {"verified", "rejected"}, "verified": set(), "rejected": set()
    } == kyc_service.MOVES  # fmt: skip
    assert set(kyc_service.NEXT_STEPS) == set(kyc_service.MOVES) | {"not_started"}
