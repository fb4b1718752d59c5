"""The consent page in a browser without JavaScript, which enforces its policy, also for the redirect to the application."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

from app import create_app
from app.models.member import Role
from tests.browser.conftest import MakeVisitor
from tests.support.factories import PASSWORD
from tests.support.oauth import make_application
from tests.support.stack import Stack
from tests.support.tenants import make_member, make_merchant


def test_a_member_signs_in_and_allows_an_application(stack: Stack, make_visitor: MakeVisitor) -> None:
    target = f"{stack.sandbox_url}/sandbox/"  # another origin
    app = create_app(stack.environment | {"LOG_LEVEL": "WARNING"})
    application = make_application(app, make_merchant(app).tenant_id, redirect_uris=(target,))
    member = make_member(app, make_merchant(app), Role.OWNER)
    asked = {
        "client_id": application.client_id,
        "redirect_uri": target,
        "response_type": "code",
        "state": "s",
    }
    owner = make_visitor(java_script_enabled=False)
    owner.opens(f"{stack.url}/oauth/consent?{urlencode(asked)}")
    owner.sees("read payments and refunds")
    owner.types("E-mail", member.user.email)
    owner.types("Password", PASSWORD)
    owner.presses("Sign in")
    owner.sees("Business")
    owner.presses("Allow")
    owner.is_at(target)
    answer = parse_qs(urlsplit(owner.page.url).query)
    assert answer["state"] == ["s"]
    assert application.exchange(answer["code"][0]).json["scope"] == "payments:read"
