"""Multipart forms as clients write them, around random documents, and forms beyond a limit."""

from __future__ import annotations

import io
import random

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import SignedInUser, make_user
from tests.support.kyc import PDF, code_of, stored, submit

BOUNDARIES = {
    "curl": "------------------------d74496d66958873e1aB9xQ",
    "requests": "c0ffee00c0ffee00c0ffee00c0ffee00",
    "Chrome": "----WebKitFormBoundary7MA4YWxkTrZu0gW0",
    "Firefox": "----geckoformboundary3b5e8a9cd1f04e7a9cd1f04e7a9cd1f0",
    "the longest": "b" * 70,
}


def part(name: str, content: bytes, *, filename: str | None = None) -> bytes:
    of_file = f'; filename="{filename}"\r\nContent-Type: application/octet-stream' if filename else ""
    return f'Content-Disposition: form-data; name="{name}"{of_file}\r\n\r\n'.encode() + content


def form_of(*parts: bytes, boundary: str) -> bytes:
    line = b"--" + boundary.encode()
    return b"".join(line + b"\r\n" + each + b"\r\n" for each in parts) + line + b"--\r\n"


def post_form(
    client: FlaskClient, user: SignedInUser, body: bytes, *, boundary: str = "cut", is_chunked: bool = False
) -> TestResponse:
    chunked = {"input_stream": io.BytesIO(body), "environ_overrides": {"wsgi.input_terminated": True}}
    return client.post(
        "/api/v1/kyc/documents",
        content_type=f"multipart/form-data; boundary={boundary}",
        headers=user.headers,
        **(chunked if is_chunked else {"data": body}),  # type: ignore[arg-type]
    )


def document(size: int, content: str) -> bytes:
    """A PDF of `size` bytes, seeded."""
    head, end = b"%PDF-1.4\n", b"\n%%EOF"
    length = size - len(head) - len(end)
    middle = random.Random(size).randbytes(length) if content == "random" else (b"\r\n" * length)[:length]
    return head + middle + end


@pytest.mark.parametrize("client_name", BOUNDARIES)
@pytest.mark.parametrize("content", ["random", "line ends"])
def test_documents_of_any_content_are_taken(
    app: Flask, client: FlaskClient, client_name: str, content: str
) -> None:
    """Broken by: a limit of form memory that a block of the file and the rest of the block before exceed."""
    user = make_user(app, tier=0)
    submit(client, user)
    boundary = BOUNDARIES[client_name]
    parts = [
        part("document", document(1_000_000, content), filename="id.pdf"),
        part("document_type", b"passport"),
    ]
    for ordered in (parts, parts[::-1]):
        answer = post_form(client, user, form_of(*ordered, boundary=boundary), boundary=boundary)
        assert (answer.status_code, answer.json.get("size")) == (201, 1_000_000)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_random_document_of_the_maximum_size_is_taken(
    app: Flask, client: FlaskClient, is_chunked: bool
) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    size = app.config["MAX_DOCUMENT_BYTES"]
    parts = part("document_type", b"passport"), part("document", document(size, "random"), filename="id.pdf")
    answer = post_form(client, user, form_of(*parts, boundary="cut"), is_chunked=is_chunked)
    assert (answer.status_code, answer.json.get("size")) == (201, size)


def test_forms_beyond_a_limit_are_refused(app: Flask, client: FlaskClient) -> None:
    """A field, the number of parts, and the whole form, with and without a length given before."""
    user = make_user(app, tier=0)
    submit(client, user)
    before = stored(app)
    file, kind = part("document", PDF, filename="id.pdf"), part("document_type", b"passport")
    forms = {
        "field": form_of(file, part("document_type", b"p" * 200_000), boundary="cut"),
        "parts": form_of(file, kind, *[part(f"field{i}", b"") for i in range(20)], boundary="cut"),
        "preamble": b"p" * 200_000 + b"\r\n" + form_of(file, kind, boundary="cut"),
        "whole": form_of(kind, part("document", document(6_000_000, "random"), filename="id.pdf"), boundary="cut"),
    }  # fmt: skip
    for name, body in forms.items():
        for is_chunked in (False, True):
            answer = post_form(client, user, body, is_chunked=is_chunked)
            assert code_of(answer) == (413, "INVALID_REQUEST"), (name, is_chunked)
            assert answer.headers["Connection"] == "close"
    assert code_of(post_form(client, user, form_of(file, part("document_type", b"p" * 60_000), boundary="cut"))) == (
        400,
        "INVALID_REQUEST",
    )  # fmt: skip
    assert stored(app) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--cut",
        b"--cut\r\nContent-Disposition: form-data\r\n\r\npassport\r\n--cut--\r\n",
        b"--cut\r\nContent-Disposition: form-data; filename=a\r\n\r\npassport\r\n--cut--\r\n",
        b"--cut\r\nX: y\r\n\r\npassport\r\n--cut--\r\n",
        b'--cut\r\nContent-Disposition: form-data; name="\xff"\r\n\r\npassport\r\n--cut--\r\n',
        b'--cut\r\nContent-Disposition: form-data; name="a\x00b"\r\n\r\npassport\r\n--cut--\r\n',
    ],
)
def test_broken_forms_are_refused(app: Flask, client: FlaskClient, body: bytes) -> None:
    user = make_user(app, tier=0)
    submit(client, user)
    assert code_of(post_form(client, user, body)) == (400, "INVALID_REQUEST")


def test_an_encoded_form_is_refused_before_it_is_read(app: Flask, client: FlaskClient) -> None:
    """Broken by: reading it, since no limit of parts or of memory counts its fields."""
    user = make_user(app, tier=0)
    unread = io.BytesIO(b"a&" * 1_000_000)
    answer = client.post(
        "/api/v1/kyc/documents",
        input_stream=unread,
        environ_overrides={"wsgi.input_terminated": True},
        content_type="application/x-www-form-urlencoded",
        headers=user.headers,
    )
    assert code_of(answer) == (415, "INVALID_REQUEST")
    assert unread.tell() == 0
