"""docs/api/bookings.md: its commands, pasted from top to bottom, and the calls that it names."""

from __future__ import annotations

import re

import pytest
import requests
from flask import Flask

from app.http.surfaces import Surface, surface_of
from launcher.paths import PROJECT
from tests.support.demo import run_command
from tests.support.page_session import PageSession, run_page
from tests.support.stack import Stack

PAGE = (PROJECT / "docs/api/bookings.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def session(stack: Stack, stack_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> PageSession:
    run_command(stack_app, "demo", "reset")
    return run_page(stack, PAGE, tmp_path_factory.mktemp("reader"))


def test_every_command_works(session: PageSession) -> None:
    assert len(session.exchanges) == PAGE.count("curl -s")
    messages = [one.body["message"] for one in session.exchanges if "/verify/" in one.command]
    # The simulated traveller may pay before the first question.
    assert messages[0] in ("Payment is pending", "Payment verified and completed successfully")
    assert messages[-1] == "Payment already verified"
    assert session.asked("PATCH").body["description"] == "By the lake"


def test_the_page_names_every_call(stack: Stack) -> None:
    document = requests.get(f"{stack.url}/openapi.json", timeout=30).json()
    served = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if surface_of(path, method.upper()) is Surface.BOOKINGS
    }
    named = {
        (method, path.rstrip("/"))
        for line in PAGE.splitlines()
        for path in re.findall(r"(/api/[\w/{}-]+)", line)
        for method in re.findall(r"\b(GET|POST|PUT|PATCH|DELETE)\b", line)
    }
    assert served and served - named == set()
