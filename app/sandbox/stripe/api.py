"""Stripe's API: which call does what, and what surrounds every call (keys, replays, faults, errors, request ids)."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, Response, g, request

from app.sandbox.faults import Plan, faulty
from app.sandbox.stripe import currencies, forms
from app.sandbox.stripe.desk import Desk
from app.sandbox.stripe.errors import ApiError, invalid, masked, rate_limited, server_error, unauthorised
from app.sandbox.stripe.events import API_VERSION
from app.sandbox.stripe.line_items import read_line_items
from app.sandbox.stripe.lists import Lists, line_items
from app.sandbox.stripe.objects import Document, new_id

Act = Callable[..., Document]
Known = tuple[Decimal | None, str | None]

FORM: Final = "application/x-www-form-urlencoded"
NO_KEY: Final = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)


def add_routes(blueprint: Blueprint, desk: Desk) -> None:
    """Everything under `/v1`."""
    blueprint.before_request(_name_request)
    blueprint.after_request(_with_headers)
    for method, rule, operation, act in _calls(desk):
        view = _view(desk, operation, act)
        blueprint.add_url_rule(f"/v1{rule}", operation, view, methods=[method])
    blueprint.add_url_rule(
        "/v1/<path:rest>", "unknown", _unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
    )


def _calls(desk: Desk) -> list[tuple[str, str, str, Act]]:
    """(method, path, operation, what it does). The operation is what rules of /sandbox/control name."""
    lists = Lists(desk.sandbox)
    calls, sessions, refunds, disputes = desk.intent_calls, desk.sessions, desk.refunds, desk.disputes

    def page(kind: str, path: str) -> Act:
        return lambda params: lists.page(kind, params, f"/v1{path}")

    return [
        ("POST", "/payment_intents", "payment_intent", lambda params: calls.create(params, _plan())),
        ("GET", "/payment_intents", "payment_intent_list", page("payment_intent", "/payment_intents")),
        ("GET", "/payment_intents/search", "payment_intent_search", lists.search),
        ("GET", "/payment_intents/<id>", "payment_intent_get", lambda params, id: desk.intents.get(id)),
        ("POST", "/payment_intents/<id>", "payment_intent_update", lambda params, id: calls.update(id, params)),
        ("POST", "/payment_intents/<id>/confirm", "confirm", lambda params, id: calls.confirm(id, params, _plan())),
        ("POST", "/payment_intents/<id>/capture", "capture", lambda params, id: calls.capture(id, params)),
        ("POST", "/payment_intents/<id>/cancel", "cancel", lambda params, id: calls.cancel(id, params)),
        ("POST", "/payment_methods", "payment_method", desk.methods.create),
        ("GET", "/payment_methods/<id>", "payment_method_get", lambda params, id: desk.methods.retrieve(id)),
        ("POST", "/checkout/sessions", "session", lambda params: sessions.create(params, _plan())),
        ("GET", "/checkout/sessions", "session_list", page("session", "/checkout/sessions")),
        ("GET", "/checkout/sessions/<id>", "session_get", lambda params, id: sessions.get(id)),
        ("POST", "/checkout/sessions/<id>/expire", "expire", lambda params, id: sessions.expire(id)),
        (
            "GET", "/checkout/sessions/<id>/line_items", "session_line_items",
            lambda params, id: line_items(sessions.get(id)),
        ),
        ("POST", "/refunds", "refund", lambda params: refunds.create(params, _plan())),
        ("GET", "/refunds", "refund_list", page("refund", "/refunds")),
        ("GET", "/refunds/<id>", "refund_get", lambda params, id: refunds.get(id)),
        ("POST", "/refunds/<id>", "refund_update", lambda params, id: refunds.update(id, params)),
        ("GET", "/charges", "charge_list", page("charge", "/charges")),
        ("GET", "/charges/<id>", "charge_get", lambda params, id: desk.get("charge", id)),
        ("GET", "/events", "event_list", page("event", "/events")),
        ("GET", "/events/<id>", "event_get", lambda params, id: desk.get("event", id)),
        ("GET", "/disputes", "dispute_list", page("dispute", "/disputes")),
        ("GET", "/disputes/<id>", "dispute_get", lambda params, id: disputes.get(id)),
        ("POST", "/disputes/<id>", "dispute_update", lambda params, id: disputes.submit(id, params)),
        ("POST", "/disputes/<id>/close", "dispute_close", lambda params, id: disputes.close(id)),
        ("GET", "/balance", "balance", lambda params: desk.balance()),
    ]  # fmt: skip


def _view(desk: Desk, operation: str, act: Act) -> Callable[..., Response]:
    lists = Lists(desk.sandbox)

    def answer(**path: str) -> Response:
        try:
            params = _params()
            response = _json(200, lists.rendered(act(params, **path), forms.words(params, "expand")))
        except ApiError as error:
            g.is_kept = error.is_kept
            response = _error(error)
        desk.keys.keep(response)
        return response

    suffer = faulty(
        desk.sandbox, "stripe", operation, lambda: _known(operation),
        error=lambda status: _error(server_error(status)),
        limited=lambda: _error(rate_limited()),
        expired=lambda: _error(unauthorised("Expired API Key provided.", code="api_key_expired")),
    )  # fmt: skip
    hurt = suffer(answer)

    def once(path: Mapping[str, str]) -> Response:
        response: Response = hurt(**path)
        plan = _plan()
        if plan.before is not None or plan.rate_limited or plan.token_expired:
            g.is_kept = False  # nothing was begun
        elif plan.after is not None:
            g.is_kept = True  # this answer is the one that is replayed
        return response

    def view(**path: str) -> Response:
        try:
            _authenticate(desk)
            _require_form()
            return desk.keys.once(lambda: once(path))
        except ApiError as error:
            return _error(error)

    return view


def _plan() -> Plan:
    plan: Plan = g.get("plan", Plan())
    return plan


def _authenticate(desk: Desk) -> None:
    """Bearer, or Basic with the key as user name. Raises 401."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    key = given.strip() if scheme.lower() == "bearer" else ""
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(given, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise unauthorised(NO_KEY)
    expected = desk.sandbox.dashboard.credential("stripe", "api_key")
    if not hmac.compare_digest(key.encode(), expected.encode()):
        raise unauthorised(f"Invalid API Key provided: {masked(key)}")


def _require_form() -> None:
    if request.method == "POST" and request.content_length and request.mimetype != FORM:
        raise invalid(
            f"Invalid request (check that your POST content type is {FORM}). If you have questions, see the docs."
        )


def _params() -> forms.Params:
    source = request.args if request.method == "GET" else request.form
    return forms.parse(source.items(multi=True))


def _known(operation: str) -> Known:
    """Amount and merchant's reference of a charge about to be made; nothing when its parameters are wrong."""
    if request.method != "POST":
        return None, None
    try:
        params = _params()
        reference = _reference(params)
        if operation == "session":
            _, total, currency = read_line_items(params)
            return currencies.major(total, currency), reference
        if operation == "payment_intent":
            amount = forms.integer(params, "amount") or 0
            return currencies.major(amount, forms.required(params, "currency")), reference
        return None, reference
    except ApiError:
        return None, None  # the call itself says what is wrong


def _reference(params: forms.Params) -> str | None:
    of_intent = forms.metadata(forms.branch(params, "payment_intent_data"))
    metadata = forms.metadata(params)
    return (
        of_intent.get("reference") or metadata.get("reference") or forms.text(params, "client_reference_id")
    )


def _name_request() -> None:
    g.request_id = new_id("req", length=14)


def _with_headers(response: Response) -> Response:
    if request.path.startswith("/stripe/v1/"):
        response.headers["Request-Id"] = g.request_id
        response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)
    return response


def _unknown(rest: str) -> Response:
    message = (
        f"Unrecognized request URL ({request.method}: /v1/{rest}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/."
    )
    return _error(ApiError(404, "invalid_request_error", message))


def _error(error: ApiError) -> Response:
    return _json(error.status, error.body(g.request_id))


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(json.dumps(body, indent=2) + "\n", status=status, mimetype="application/json")
