"""The commands of README.md and docs/api/wallet.md, pasted into a shell beside a running demo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from app import errors
from app.services.withdrawals import errors as withdrawal_errors
from launcher.paths import PROJECT
from tests.support.node import NODE
from tests.support.pages import answers, blocks, paste
from tests.support.realtime import JS, install_javascript
from tests.support.stack import Stack
from tests.support.waiting import wait_until

README = (PROJECT / "README.md").read_text(encoding="utf-8")
REFERENCE = (PROJECT / "docs/api/wallet.md").read_text(encoding="utf-8")


def test_the_readmes_first_payment(demo: Stack, tmp_path: Path) -> None:
    login, pay, look, *_ = blocks(README, "sh")
    first, again, wallet = answers(paste(demo, [login, pay, pay, look], tmp_path))
    assert (first["amount"], first["status"]) == ("10.00", "pending")
    assert again["payment_id"] == first["payment_id"]
    assert wallet["account"]["balance"] == "990.00"


COMPLETED = re.compile(r"wallet_payment\.completed 1(\.0)? USD pmt_[0-9a-f]{32}\n")
"""A line of either client. Read as it comes, it may come in pieces."""


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_the_readmes_live_clients(demo: Stack, language: str, tmp_path: Path) -> None:
    (program,) = blocks(README, language)
    folder = tmp_path
    if language == "javascript":
        folder = JS
        install_javascript()
    token = _token(demo)
    command = [sys.executable, "-c"] if language == "python" else [NODE, "--input-type=module", "--eval"]
    watcher = subprocess.Popen(
        [*command, program.replace("localhost:5000", f"localhost:{demo.port}"), *_arguments(language, token)],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watcher.stdout is not None
        os.set_blocking(watcher.stdout.fileno(), False)
        seen: list[str] = []

        def has_seen_a_payment() -> bool:
            # The client needs a moment to connect, so a payment is made until one has been watched whole.
            _pay(demo, token)
            seen.extend(watcher.stdout.readlines() if watcher.stdout else [])
            return any(COMPLETED.fullmatch(line) for line in "".join(seen).splitlines(keepends=True))

        wait_until(has_seen_a_payment, "a completed payment in the client", every_s=0.3, timeout_s=30)
    finally:
        watcher.kill()
        watcher.wait()
        if watcher.stdout:
            watcher.stdout.close()
    assert seen[0].startswith("wallet_payment.")


def test_the_references_commands(demo: Stack, tmp_path: Path) -> None:
    printed_answers = answers(paste(demo, blocks(REFERENCE, "sh"), tmp_path))
    sessions, opened, wallet, deposited, withdrawn, payment, listed, batch, *verification = printed_answers
    submitted, uploaded, status = verification
    assert [one["is_current"] for one in sessions["sessions"]].count(True) == 1
    assert opened["currency"] == "KES"
    assert wallet["account"]["balance"] == "1000.00"
    assert (deposited["new_balance"], withdrawn["new_balance"]) == ("1500.00", "1480.00")
    assert payment["amount"] == "100.00"
    assert listed["success"] is True
    assert [result.get("error", {}).get("code") for result in batch["results"]] == [
        None,
        "INSUFFICIENT_BALANCE",
        None,
    ]
    assert (submitted["status"], uploaded["status"]) == ("pending", "under_review")
    assert status["status"] in ("under_review", "verified")


def test_the_references_examples_have_the_fields_of_the_answers(demo: Stack) -> None:
    wallet_example, created_example, payment_example = map(json.loads, blocks(REFERENCE, "json"))
    token = _token(demo)
    created = _pay(demo, token)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{demo.url}/api/v1"
    payment = requests.get(f"{url}/payments/{created['payment_id']}", headers=headers).json()
    wallet = requests.get(f"{url}/accounts/acc_sender_123", headers=headers).json()
    assert created.keys() == created_example.keys()
    assert payment.keys() == payment_example.keys()
    assert wallet.keys() == wallet_example.keys()
    assert wallet["account"].keys() == wallet_example["account"].keys()
    assert wallet["recent_transactions"][0].keys() == wallet_example["recent_transactions"][0].keys()


def test_the_references_error_table_is_the_error_tree() -> None:
    """Every code the application can answer, with its HTTP status, and no other."""
    documented = {
        (code, int(status))
        for codes, status in re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \| (\d{3}) \|", REFERENCE, re.MULTILINE)
        for code in re.findall(r"`([A-Z_]+)`", codes)
    }
    from app.http.errors import InternalError, MethodNotAllowed

    raised = {
        (error.code, error.http_status)
        for error in (*_tree(errors.GatewayError), InternalError, MethodNotAllowed)
    }
    raised -= {("INVALID_REQUEST", 413), ("INVALID_REQUEST", 415)}  # in the sentence below the table
    raised -= {(error.code, error.http_status) for error in GATEWAY_ERRORS}
    assert documented == raised


GATEWAY_ERRORS = (
    errors.TenantIdMissing,
    errors.InvalidTenant,
    withdrawal_errors.FourEyesViolation,
    withdrawal_errors.NotApprovable,
    errors.WithdrawalAltered,
    errors.WithdrawalFailed,
    errors.CustomerExists,
    errors.CustomerNotFound,
    withdrawal_errors.WithdrawalNotCancelable,
    withdrawal_errors.WithdrawalNotFound,
    errors.NotAMember,
    errors.ScopeMissing,
    errors.TransactionNotFound,
    errors.NotRefundable,
    errors.NotCancellable,
    errors.ProviderNotConfigured,
    errors.ProviderUnreachable,
    errors.ForgedCallbackRefused,
    errors.InvalidApiKey,
    errors.CredentialsMissing,
    errors.KeyForbidden,
    errors.PermissionMissing,
    errors.InvalidParameters,
    errors.NotInThisState,
    errors.OAuthRefused,
    errors.OAuthClientRefused,
    errors.EndpointDisabled,
    errors.ProviderEventNotFound,
    errors.ProviderEventNotRetryable,
)
"""Of the Gateway and the Processing API, which print no codes, and of the Tenant API, whose page has its own."""


def _tree(base: type[errors.GatewayError]) -> list[type[errors.GatewayError]]:
    """The errors of app/errors below `base`."""
    found = []
    for child in base.__subclasses__():
        if child.__module__.startswith("app.errors."):
            found += [child, *_tree(child)]
    return found


def test_every_link_between_the_pages_leads_somewhere() -> None:
    broken = []
    for page in [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(PROJECT)}: {target}")
    assert broken == []


def _token(stack: Stack) -> str:
    login = {"email": "sender@example.com", "password": "SecurePass123!"}
    token: str = requests.post(f"{stack.url}/api/v1/auth/login", json=login).json()["access_token"]
    return token


def _pay(stack: Stack, token: str) -> dict[str, Any]:
    payment_body = {"amount": 1, "source_wallet_id": "acc_sender_123", "destination": "bob@example.com"}
    answer = requests.post(
        f"{stack.url}/api/v1/payments", json=payment_body, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 201, answer.text
    paid: dict[str, Any] = answer.json()
    return paid


def _arguments(language: str, token: str) -> list[str]:
    # With --eval there is no script name before the arguments; the program reads the one behind it.
    return ["--", "watch.mjs", token] if language == "javascript" else [token]
