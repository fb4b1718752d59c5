"""The commands that `make run` prints, pasted into a shell beside a running demo."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from launcher.banner import print_banner
from tests.support.stack import Stack

WALLET, PROVIDER = "The first payment, from another terminal:\n\n", "pays after a second):\n\n"


def test_banner_commands_run(
    demo: Stack, shell: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_banner(demo.url, is_demo=True, simulators=demo.sandbox_url)
    banner = capsys.readouterr().out
    commands = [banner.split(heading)[1].split("\n\n")[0] for heading in (WALLET, PROVIDER)]
    wallet, provider = (json.loads(_run(command, shell, tmp_path)) for command in commands)
    assert wallet["payment_id"].startswith("pmt_")
    assert provider["data"]["provider"] == "mpesa" and provider["data"]["status"] == "processing"


def test_the_card_says_where_the_simulators_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_banner("http://localhost:5000", is_demo=True, simulators="http://127.0.0.1:4010")
    assert "http://127.0.0.1:4010/sandbox/" in capsys.readouterr().out


def test_banner_outside_the_demo_has_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    print_banner("http://localhost:5000", is_demo=False, simulators="")
    banner = capsys.readouterr().out
    assert "curl" not in banner and "sandbox" not in banner and "SecurePass" not in banner


def _run(command: str, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
