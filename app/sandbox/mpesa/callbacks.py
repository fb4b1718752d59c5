"""Daraja's callbacks: unsigned JSON, sent once to the URL in the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan


def send(
    sandbox: Sandbox, url: str, message: Mapping[str, Any], plan: Plan, *, is_early: bool = False
) -> None:
    """Send a callback. is_early: before this returns, that is, before the API's answer.

    An operation has only one callback, so out of order means that it comes twice.
    """
    copies = 2 if plan.callback_reorder else plan.callback_copies
    sandbox.callbacks.send(
        "mpesa",
        url,
        body=json.dumps(message).encode(),
        headers={"Content-Type": "application/json"},
        plan=replace(plan, callback_copies=copies),
        is_early=is_early,
    )
