"""Identity documents: which are taken, how they are kept, and that they are never served."""

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

from app import clock, ids
from app.crypto import CannotOpen, sealer
from app.services.kyc import files as kyc_files
from app.services.kyc import verification as kyc
from tests.support.concurrency import concurrently
from tests.support.factories import make_user
from tests.support.kyc import JPG, PDF, PNG, code_of, status_of, stored, submit, upload, upload_bytes

Rows = Callable[..., list[Any]]


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
        b"",
        b"hello",
        b"MZ" + PDF,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\0" * 40,
        PDF.replace(b"%%EOF", b""),
        PDF + b"\0" * 5000,
        PNG[:-12],
        JPG[:-2],
        b"%PDF-",
        b"\xff\xd8\xff",
    ],
)
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
def test_document_has_a_maximum_size(app: Flask, client: FlaskClient, extra: int, status: int) -> None:
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
    answers = concurrently(kyc.MAX_DOCUMENTS + 4, lambda _: upload(app.test_client(), user).status_code)
    assert Counter(answers) == {201: kyc.MAX_DOCUMENTS, 400: 4}
    row_id = ids.parse(ids.KYC_REQUEST, request_id)
    assert rows("SELECT count(*) FROM kyc_documents WHERE request_id = :id", id=row_id) == [
        (kyc.MAX_DOCUMENTS,)
    ]
    assert len(stored(app) - before) == kyc.MAX_DOCUMENTS
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
        assert number.encode() in sealer().open(kept, purpose=kyc.DETAILS_PURPOSE, row_id=row_id)
        assert kyc_files.read(file.name, document_id=document_id) == content
        with pytest.raises(CannotOpen):  # copied to another row
            sealer().open(kept, purpose=kyc.DETAILS_PURPOSE, row_id=ids.uuid7())
        with pytest.raises(CannotOpen):
            kyc_files.read(file.name, document_id=row_id)


def test_documents_are_never_served(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    document_id = upload(client, user).json["document_id"]
    for path in (f"/api/v1/kyc/documents/{document_id}", f"/api/v1/kyc/{document_id}"):
        assert client.get(path, headers=user.headers).status_code == 404
    assert client.get("/api/v1/kyc/documents", headers=user.headers).status_code == 405


def test_the_sweep_takes_only_old_files_without_a_row(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    before = stored(app)
    upload(client, user)
    kept = stored(app) - before
    with app.app_context():
        orphan = Path(app.config["VAR_DIR"]) / "kyc" / kyc_files.write(PDF, document_id=ids.uuid7())
        assert kyc.sweep_documents() == 0
        clock.travel(kyc.ORPHAN_LIFE + timedelta(hours=1))
        assert kyc.sweep_documents() == 1
    assert not orphan.exists()
    assert all(file.exists() for file in kept)
