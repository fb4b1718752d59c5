"""docs/api/tenant.md: its commands, pasted from top to bottom, and what it says of fields, fees and roles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask

from app.http.surfaces import Surface, surface_of
from app.models.member import Role, TenantScope
from app.services.tenants.roles import API_KEY_ALONE, ROLES
from launcher.paths import PROJECT
from tests.support.demo import run_command
from tests.support.page_session import PageSession, run_page
from tests.support.pages import blocks
from tests.support.stack import Stack

PAGE = (PROJECT / "docs/api/tenant.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def session(stack: Stack, stack_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> PageSession:
    run_command(stack_app, "demo", "reset")
    return run_page(stack, PAGE, tmp_path_factory.mktemp("reader"))


def test_every_command_works(session: PageSession) -> None:
    commands = "\n".join(blocks(PAGE, "sh"))
    of_login = 1  # the definition; each use of it is a request
    assert len(session.exchanges) == commands.count("curl -s") - of_login + commands.count("$(login ")
    for one in session.exchanges:
        assert one.text.startswith("id,type,") if "text/csv" in one.command else one.body


def test_the_examples_are_the_answers(session: PageSession) -> None:
    registered, options, approved = map(json.loads, blocks(PAGE, "json"))
    assert_shown(session.asked("auth/register").body, registered)
    assert_shown(session.asked("/checkout-options").body, options)
    # On a slow machine the approval does not wait for the result.
    assert approved.pop("status") == "completed"
    answer = session.asked("/withdrawals/.*/approve").body
    assert answer.pop("status") in ("completed", "processing")
    assert_shown(answer, approved)


def assert_shown(found: Any, example: Any) -> None:
    """The same fields and values as the example; `…`: any value, and as a field's name: further fields."""
    if isinstance(example, dict):
        is_whole = "…" not in example
        example = {name: value for name, value in example.items() if name != "…"}
        assert example.keys() == found.keys() if is_whole else example.keys() <= found.keys()
        for name, value in example.items():
            assert_shown(found[name], value)
    elif isinstance(example, list):
        assert len(found) == len(example)
        for one, shown in zip(found, example, strict=True):
            assert_shown(one, shown)
    elif isinstance(example, str) and example.endswith("…"):
        assert found.startswith(example.removesuffix("…"))
    else:
        assert (type(found), found) == (type(example), example)


FIELDS = (
    ("Members", "A member is answered as", "/suspend"),
    ("API keys", "A key is answered as", "/rotate"),
    ("Checkout", "The payment has", "/checkout"),
    ("The wallet", "GET /wallet/balance", "/wallet/balance"),
)
"""Section, the words before the list of an answer's fields, and the request with that answer."""

NO_FIELDS = {"active", "suspended", "code", "reason"}
"""Named there as a field's values, or as what is in a field."""


@pytest.mark.parametrize(("section", "words", "request_path"), FIELDS)
def test_the_page_names_the_fields_of_the_answer(
    session: PageSession, section: str, words: str, request_path: str
) -> None:
    answer = session.asked(rf"{request_path}( |$)").body
    named = names(text_of(section).split(words)[1].split("\n\n")[0].split("\n- ")[0])
    assert set(answer) == named - NO_FIELDS


def test_the_page_names_the_fields_of_a_transaction(session: PageSession) -> None:
    lines = session.asked(r"/wallet/transactions\?limit").body["results"]
    assert lines
    named = names(text_of("The wallet").split("Each line has")[1].split(".")[0])
    assert set(lines[0]) == named


def names(text: str) -> set[str]:
    """Identifiers in backticks or in quotes."""
    return set(re.findall(r"[`\"]([a-z_]+)[`\"]", text))


def text_of(section: str) -> str:
    return re.split(rf"^##+ {re.escape(section)}\n", PAGE, flags=re.MULTILINE)[1]


def rows(section: str, first_heading: str) -> Iterator[list[str]]:
    """The cells of a table of the section, its heading first."""
    table = text_of(section).split(f"\n| {first_heading} |")[1].split("\n\n")[0]
    for line in f"| {first_heading} |{table}".splitlines():
        if not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_fees_and_minimums_are_the_demos(session: PageSession) -> None:
    options = session.asked("/withdrawal-options").body
    listed = {
        row[0].strip("`"): (float(row[2]), float(row[3])) for row in list(rows("Withdrawals", "method"))[1:]
    }
    assert listed == {
        method: (options["fees"][method], options["minimum_amounts"][method])
        for method in options["available_methods"]
    }


def test_the_roles_are_the_gateways() -> None:
    heading, *lines = rows("Roles", "scope")
    assert {line[0].strip("`") for line in lines} == {scope.value for scope in TenantScope}
    for column, title in enumerate(heading[1:], start=1):
        listed = {line[0].strip("`") for line in lines if line[column] == "✓"}
        scopes = API_KEY_ALONE if title == "API key alone" else ROLES[Role(title.lower().replace(" ", "_"))]
        assert listed == {scope.value for scope in scopes}, title
    assert len(heading) == len(Role) + 2


def test_the_page_names_every_call_of_the_tenant_api(stack: Stack) -> None:
    document = requests.get(f"{stack.url}/openapi.json", timeout=30).json()
    served = {
        (method.upper(), _without_names(path.removeprefix("/api/v1")))
        for path, operations in document["paths"].items()
        for method in operations
        if surface_of(path, method.upper()) is Surface.TENANT
    }
    named = re.findall(r"`(GET|POST|PUT|DELETE) (/[\w/{}-]+)", PAGE)
    assert served
    assert served - {(method, _without_names(path)) for method, path in named} == set()


def _without_names(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)
