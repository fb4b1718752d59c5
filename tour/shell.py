"""Runs a document's commands as its reader would: pasted into a shell."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any, Final

from tour.client import GatewayClient
from tour.report import Difference, Report

TIMEOUT_S: Final = 60.0
PRINTED_URLS: Final = ("http://localhost:5000", "http://localhost:8000")

UUIDGEN: Final = "uuidgen() { python3 -c 'import uuid; print(uuid.uuid4())'; }\n"
"""For machines without it: the document's commands need it."""

STATUS: Final = """\
curl() { command curl -s -w '\\n%{http_code}' "$@"; }
"""
"""Prints the answer's status on a separate last line; curl's behaviour is otherwise unchanged."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command printed: the answer's status and its JSON."""

    status: int
    body: dict[str, Any]


def at(client: GatewayClient, text: str) -> str:
    """What a document prints, with the host replaced where the demo has another."""
    for printed_url in PRINTED_URLS:
        text = text.replace(printed_url, client.url)
    return text


def paste(client: GatewayClient, command: str, report: Report) -> Printed:
    """The answer to one curl command of a document; its host is replaced where the demo has another. Raises
    Difference."""
    if shutil.which("uuidgen") is None and "uuidgen" in command:
        report.say("(this machine has no uuidgen, so python3 is used instead)")
        command = UUIDGEN + command
    command = at(client, command)
    try:
        done = subprocess.run(
            ["bash", "-c", STATUS + command], check=False, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Difference(f"The shell did not run the command ({type(error).__name__}).") from error
    answer, _, status = done.stdout.rpartition("\n")
    try:
        return Printed(int(status), json.loads(answer))
    except ValueError:
        raise Difference(f"The command printed no JSON: {(done.stdout + done.stderr)[:500]}") from None
