"""docs/api/processing.md: its commands, pasted from top to bottom, and what it says of calls, codes and limits."""

from __future__ import annotations

import re

import pytest
import requests
from flask import Flask

from app.api.processing.amounts import LIMITS
from app.http.surfaces import Surface, surface_of
from launcher.paths import PROJECT
from tests.support.demo import run_command
from tests.support.page_session import PageSession, run_page
from tests.support.stack import Stack

PAGE = (PROJECT / "docs/api/processing.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def session(stack: Stack, stack_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> PageSession:
    run_command(stack_app, "demo", "reset")
    return run_page(stack, PAGE, tmp_path_factory.mktemp("reader"), may_be_refused=True)


def test_every_command_works(session: PageSession) -> None:
    assert len(session.exchanges) == PAGE.count("curl -s")
    assert not [one.command for one in session.exchanges if "error" in one.body]
    declined = session.asked("113.00").body
    assert (declined["status"], declined["failure_reason"]) == ("failed", "card_declined")
    assert session.asked(r"/cancel").body["status"] == "cancelled"
    assert session.asked(r"/refund .*25.00").body["amount"] == 25.0


def test_the_bounds_are_the_gateways() -> None:
    rows = re.findall(r"^\| ([A-Z, ]+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    listed = {code: row[1:] for row in rows for code in row[0].split(", ")}
    assert listed == {code: (str(least), str(greatest)) for code, (least, greatest) in LIMITS.items()}


def test_the_page_names_every_call(stack: Stack) -> None:
    document = requests.get(f"{stack.url}/openapi.json", timeout=30).json()
    served = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in document["paths"].items()
        for method in operations
        if surface_of(path, method.upper()) is Surface.PROCESSING
    }
    named = {
        (method, re.sub(r"\{\w+\}", "{}", path if path.startswith("/v1") else f"/v1{path}"))
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[\w/{}-]+)`", PAGE)
    }
    assert served and served - named == set()
