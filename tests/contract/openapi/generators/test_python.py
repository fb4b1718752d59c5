"""openapi-python-client makes a package of the document, and the package works against the application."""

from __future__ import annotations

import compileall
import importlib
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask

from app.api.gateway.schemas.payments import EXAMPLES
from app.http.guards import API_KEY_HEADER
from launcher.paths import PROJECT
from tests.support.tenants import make_merchant

PACKAGE = "malipo_client"
PAGE = PROJECT / "docs/api/openapi.md"


@pytest.fixture(scope="module")
def package(document_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the generated package, which can be imported."""
    folder = tmp_path_factory.mktemp("python") / "client"
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"  # the generator calls ruff
    done = subprocess.run(
        [
            programs / "openapi-python-client",
            "generate",
            "--path",
            document_file,
            "--output-path",
            folder,
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
    )
    assert done.returncode == 0 and "Warning" not in done.stdout, done.stdout + done.stderr
    assert compileall.compile_dir(folder, quiet=1)
    sys.path.insert(0, str(folder))
    yield PACKAGE
    sys.path.remove(str(folder))


def module(package: str, name: str) -> Any:
    return importlib.import_module(f"{package}.{name}")


@pytest.fixture
def client(package: str, app: Flask) -> Any:
    """The generated client, in front of the application of this process."""
    transport = httpx.WSGITransport(app=app)
    return module(package, "client").Client(
        base_url="http://localhost", httpx_args={"transport": transport}, raise_on_unexpected_status=True
    )


def test_models_keep_what_they_read(package: str) -> None:
    body = dict(EXAMPLES["mpesa"])
    assert module(package, "models").InitializeRequest.from_dict(dict(body)).to_dict() == body


def test_a_key_is_an_argument_where_it_is_required(package: str) -> None:
    initialize = module(package, "api.gateway_api.payments_initialize")
    with pytest.raises(TypeError, match="idempotency_key"):
        initialize.sync(client=None, body=None)


def test_a_person_registers_and_opens_a_wallet(package: str, client: Any) -> None:
    models = module(package, "models")
    registration = models.RegisterRequest(
        email="generated@example.com", password="SecurePass123!", first_name="Gene", last_name="Rated"
    )
    opened = module(package, "api.wallet_api.auth_register").sync(client=client, body=registration)
    assert isinstance(opened, models.LoginAnswer) and opened.user.email == "generated@example.com"
    known = client.with_headers({"Authorization": f"Bearer {opened.access_token}"})
    wallet = module(package, "api.wallet_api.wallets_open").sync(
        client=known, body=models.WalletRequest(currency="USD"), idempotency_key="generated-1"
    )
    assert wallet.balance == "0.00" and wallet.status.value == "active"


def test_the_pages_program_initializes_a_payment(
    package: str, app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program of docs/api/openapi.md, with a key of this test's tenant, in front of the application."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    client = partial(
        module(package, "client").AuthenticatedClient, httpx_args={"transport": httpx.WSGITransport(app=app)}
    )
    monkeypatch.setattr(f"{package}.AuthenticatedClient", client)
    key = make_merchant(app).headers[API_KEY_HEADER]
    exec(program.replace("demo_tenant_key_7Jt2mQ9sVx4L", key), {})
    payment_id, status = capsys.readouterr().out.split()
    assert uuid.UUID(payment_id) and status == "completed"


def test_an_error_is_a_model_with_its_code(package: str, client: Any) -> None:
    models = module(package, "models")
    wrong = models.LoginRequest(email="nobody@example.com", password="SecurePass123!")
    answer = module(package, "api.wallet_api.auth_login").sync(client=client, body=wrong)
    assert isinstance(answer, models.WalletError) and answer.error.code.value == "INVALID_CREDENTIALS"
