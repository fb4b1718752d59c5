"""`/oauth/consent`: where a user signs in and allows or denies what an application asks for (RFC 6749, 4.1.1).

No cookie is set: the sign-in and the decision are two forms of one page, and the second has a ticket of the first
(app/services/oauth/consent.py), so that no other site can post it. No script, no frame.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Response, request

from app.errors import (
    GatewayError,
    InvalidCredentials,
    NotAMember,
    OAuthRefused,
    RateLimitExceeded,
    ScopeMissing,
    TokenInvalid,
)
from app.http import fields, forms
from app.http.oauth import Blueprint, OAuthAuthorizeQuery, parameter
from app.models.tenant import Permission
from app.services.oauth import consent, server
from app.services.oauth.consent import SignedIn
from app.services.oauth.server import Authorization
from app.web.pages import PagePolicy, render

blueprint = Blueprint("consent", __name__)

SENTENCES: Final = MappingProxyType(
    {
        Permission.PAYMENTS_READ: "read payments and refunds",
        Permission.PAYMENTS_WRITE: "make and cancel payments",
        Permission.REFUNDS_WRITE: "refund payments",
        Permission.WEBHOOKS_MANAGE: "change where webhooks are sent",
        Permission.API_ADMIN: "everything else an administrator of the API may do",
    }
)
"""Each permission, after "may"."""


class SignInForm(OAuthAuthorizeQuery):
    email = parameter("The user's address.")
    password = fields.Text(max_length=1024)


class DecisionForm(OAuthAuthorizeQuery):
    ticket = parameter("Of the sign-in.")
    tenant = parameter("Its id.")
    decision = parameter("`allow` or `deny`.")


@blueprint.route("/oauth/consent")
@blueprint.arguments(OAuthAuthorizeQuery, location="query")
def show(query: dict[str, str]) -> Response:
    """The sign-in form."""
    return _sign_in_page(server.authorization(query), query)


@blueprint.route("/oauth/consent/sign-in", methods=["POST"])
@blueprint.arguments(SignInForm)
def sign_in(form: dict[str, str]) -> Response:
    """The decision's form; after a wrong password the sign-in form again."""
    _require_own_page()
    email, password = form.pop("email", ""), form.pop("password", "")
    asked = server.authorization(form)
    try:
        signed_in = consent.sign_in(asked, email, password, address=request.remote_addr)
    except (InvalidCredentials, RateLimitExceeded) as error:
        return _sign_in_page(asked, form, error=error)
    if not signed_in.memberships:
        consent.deny(asked, signed_in.ticket, address=request.remote_addr)
        return _sign_in_page(asked, form, error=ScopeMissing("You may let applications act for no business."))
    return _decision_page(asked, form, signed_in)


@blueprint.route("/oauth/consent/decision", methods=["POST"])
@blueprint.arguments(DecisionForm)
def decide(form: dict[str, str]) -> Response:
    """Back to the application, with a code or with `access_denied`."""
    _require_own_page()
    ticket, tenant, decision = (form.pop(name, "") for name in ("ticket", "tenant", "decision"))
    asked = server.authorization(form)
    try:
        if decision != "allow":
            consent.deny(asked, ticket, address=request.remote_addr)
            return _redirect(asked.redirect(error="access_denied"))
        code = consent.allow(asked, ticket, _uuid(tenant), address=request.remote_addr)
    except (TokenInvalid, NotAMember, ScopeMissing) as error:
        return _sign_in_page(asked, form, error=error)
    return _redirect(asked.redirect(code=code))


@blueprint.errorhandler(OAuthRefused)
def refuse(error: OAuthRefused) -> Response:
    """Back to the application where its address is known, else a page: an address that is not registered gets nothing."""
    if error.redirect_uri is not None and request.method == "GET":
        state = request.args.get("state")
        return _redirect(server.redirect(error.redirect_uri, state, {"error": error.error_code}))
    return render(
        "consent/refused.html",
        status=error.http_status,
        heading="This application cannot be authorized",
        error=error.message,
    )


def _require_own_page() -> None:
    """Raises OAuthRefused: the form was posted by another site's page."""
    if not forms.is_from_own_page(request):
        raise OAuthRefused(
            "access_denied", "This form belongs to another page. Begin at the application again."
        )


def _uuid(text: str) -> uuid.UUID:
    """Raises NotAMember: no tenant has this id."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotAMember from None


def _sign_in_page(
    asked: Authorization, sent: Mapping[str, str], *, error: GatewayError | None = None
) -> Response:
    page = _page(
        "sign_in.html",
        asked,
        sent,
        status=error.http_status if error else 200,
        heading="Sign in",
        error=error.message if error else None,
    )
    if error is not None and error.retry_after_s is not None:
        page.headers["Retry-After"] = str(error.retry_after_s)
    return page


def _decision_page(asked: Authorization, sent: Mapping[str, str], signed_in: SignedIn) -> Response:
    return _page(
        "decide.html",
        asked,
        {**sent, "ticket": signed_in.ticket},
        heading=f"Allow {asked.client.name}?",
        tenants=[one.tenant for one in signed_in.memberships],
    )


def _page(template: str, asked: Authorization, sent: Mapping[str, str], **values: Any) -> Response:
    target = urlsplit(asked.redirect_uri)
    return render(
        f"consent/{template}",
        policy=PagePolicy(form_targets=(f"{target.scheme}://{target.netloc}",), is_origin_sent=True),
        client=asked.client.name,
        permissions=[SENTENCES[Permission(one)] for one in asked.permissions],
        host=target.netloc,
        sent=sent,
        **values,
    )


def _redirect(uri: str) -> Response:
    return Response(status=303, headers={"Location": uri})
