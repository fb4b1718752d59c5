"""`python -m tour` against a running demo, and without one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from launcher.addresses import free_port
from launcher.paths import PROJECT
from tests.support.stack import Stack
from tour import tenant, wallet
from tour.client import GatewayClient
from tour.report import Difference, Report
from tour.users import access_token, sign_in


def tour(
    url: str, sandbox: str = "http://127.0.0.1:9", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tour", "--url", url, "--sandbox", sandbox],
        check=False,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.timeout(240)
def test_tour_can_be_repeated(demo: Stack) -> None:
    client = GatewayClient(demo.url)
    # So that the tour must top up the sender's wallet, and the tenant's.
    sender = sign_in(client, "sender@example.com", wallet_id="acc_sender_123")
    assert sender.pay("alice@example.com", 700.00).status_code == 201
    office = tenant.BackOffice(client, {"finance": access_token(client, "finance@example.com")})
    most = {**tenant.WITHDRAWAL, "amount": 8500.00}
    office.call("finance", "POST", "/wallet/withdrawals", status=201, body=most)
    for _ in range(2):
        done = tour(demo.url, demo.sandbox_url, demo.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "All as the documents say" in done.stdout


def test_tour_without_a_gateway_explains_what_to_do() -> None:
    done = tour(f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr


def test_gateway_that_stops_during_the_tour_is_a_difference() -> None:
    with pytest.raises(Difference, match="POST /auth/login got no answer"):
        wallet.play(GatewayClient(f"http://127.0.0.1:{free_port()}"), Report())


def test_report_lists_every_difference(capsys) -> None:
    report = Report()
    report.document("A document")
    report.step("Paying")
    report.expect("HTTP status", 500, 201)
    report.expect("status", "pending", "pending")
    assert report.close() == 1
    assert "A document, step 1: HTTP status: expected 201, found 500" in capsys.readouterr().out
