"""The sandbox's parts in the test's own process."""

from __future__ import annotations

from pathlib import Path

from app.sandbox.core import Sandbox, SandboxSettings


def opened(folder: Path, autopay_s: float | None = 0) -> Sandbox:
    settings = SandboxSettings(autopay_s, "http://127.0.0.1:4010", "http://127.0.0.1:9/hooks/", folder)
    return Sandbox.open(settings)
