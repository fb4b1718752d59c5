"""`flask provider-account set`: credentials from words and files; trouble is a sentence, and no secret is printed."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from flask import Flask

from tests.support.tenants import make_merchant


def test_a_credential_is_read_from_a_file(app: Flask, tmp_path: Path) -> None:
    merchant, secret = make_merchant(app), f"sk_test_{uuid.uuid4().hex}"
    (tmp_path / "key").write_text(f"{secret}\n")
    words = [
        "provider-account",
        "set",
        str(merchant.tenant_id),
        "paystack",
        f"secret_key=@{tmp_path / 'key'}",
    ]
    done = app.test_cli_runner().invoke(args=[*words, "--environment", "sandbox"])
    assert done.exit_code == 0, done.output
    assert "/api/v1/webhooks/paystack/" in done.output
    assert secret not in done.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["secret_key=@/nowhere/at/all"], "/nowhere/at/all cannot be read as a text file."),
        (["secret_key"], "'secret_key' is not NAME=VALUE."),
        ([], "secret_key"),
        (["secret_key=x", "colour=red"], "colour"),
    ],
)
def test_command_errors_are_sentences(app: Flask, words: list[str], sentence: str) -> None:
    merchant = make_merchant(app)
    done = app.test_cli_runner().invoke(
        args=["provider-account", "set", str(merchant.tenant_id), "paystack", *words]
    )
    assert done.exit_code == 1, done.output
    assert done.output.startswith("Error: ")
    assert sentence in done.output
