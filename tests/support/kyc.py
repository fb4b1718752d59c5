"""Identity verification: what a user submits, and the requests."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import SignedInUser

PDF = b"%PDF-1.4\n1 0 obj << >> endobj\ntrailer\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\0" * 17 + b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 40 + b"\xff\xd9"


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def details(**changes: object) -> dict[str, object]:
    return {
        "first_name": "Wanjiru",
        "last_name": "Kamau",
        "date_of_birth": "1990-05-15",
        "ssn": "123-45-6789",
        "address": {"street": "12 Moi Avenue", "city": "Nairobi", "postal_code": "00100", "country": "KE"},
        "document_type": "passport",
        "document_number": "AK1234567",
        "document_expiry": "2099-12-31",
    } | changes


def submit(client: FlaskClient, user: SignedInUser, **changes: object) -> TestResponse:
    return client.post("/api/v1/kyc/submit", json=details(**changes), headers=user.headers)


def upload(
    client: FlaskClient,
    user: SignedInUser,
    content: bytes = PDF,
    *,
    name: str = "passport.pdf",
    **form: object,
) -> TestResponse:
    data = {"document": (io.BytesIO(content), name), "document_type": "passport"} | form
    return client.post("/api/v1/kyc/documents", data=data, headers=user.headers)


def upload_bytes(client: FlaskClient, user: SignedInUser, content: bytes) -> TestResponse:
    """The same with a form built from bytes: the test client would put a large one into a temporary file."""
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


def status_of(client: FlaskClient, user: SignedInUser) -> dict[str, Any]:
    shown: dict[str, Any] = client.get("/api/v1/kyc/status", headers=user.headers).json
    return shown


def stored(app: Flask) -> set[Path]:
    return set((Path(app.config["VAR_DIR"]) / "kyc").glob("*"))
