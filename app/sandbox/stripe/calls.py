"""Stripe's API calls, and its conventions: form bodies, idempotency keys, expanded members, request ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, Response, g, request

from app.sandbox.calls import Api, Call, Json, Subject
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.store import Document
from app.sandbox.stripe import currencies, errors, forms
from app.sandbox.stripe.auth import check_key
from app.sandbox.stripe.callbacks import API_VERSION
from app.sandbox.stripe.errors import ApiError
from app.sandbox.stripe.idempotency import IdempotencyKeys
from app.sandbox.stripe.line_items import read_line_items
from app.sandbox.stripe.lists import Lists, line_items
from app.sandbox.stripe.objects import new_id
from app.sandbox.stripe.replies import json_answer
from app.sandbox.stripe.simulator import Simulator

FORM: Final = "application/x-www-form-urlencoded"

Function = Callable[..., Document]


def calls(simulator: Simulator) -> list[Call]:
    """(method, path, operation, function)"""
    intent_calls, sessions = simulator.intent_calls, simulator.sessions
    refunds, disputes, lists = simulator.refunds, simulator.disputes, simulator.lists
    intents, methods = "/v1/payment_intents", "/v1/payment_methods"
    checkout = "/v1/checkout/sessions"
    return [
        Call("POST", intents, "payment_intent", intent_calls.create),
        Call("GET", intents, "payment_intent_list", _list(lists, "payment_intent", intents)),
        Call("GET", f"{intents}/search", "payment_intent_search", lists.search),
        Call("GET", f"{intents}/<id>", "payment_intent_get", _get(simulator.intents.get)),
        Call("POST", f"{intents}/<id>", "payment_intent_update", intent_calls.update),
        Call("POST", f"{intents}/<id>/confirm", "confirm", intent_calls.confirm),
        Call("POST", f"{intents}/<id>/capture", "capture", intent_calls.capture),
        Call("POST", f"{intents}/<id>/cancel", "cancel", intent_calls.cancel),
        Call("POST", methods, "payment_method", simulator.payment_methods.create),
        Call("GET", f"{methods}/<id>", "payment_method_get", _get(simulator.payment_methods.retrieve)),
        Call("POST", "/v1/customers", "customer", simulator.customers.create),
        Call("GET", "/v1/customers/<id>", "customer_get", _get(simulator.customers.get)),
        Call("POST", checkout, "session", sessions.create),
        Call("GET", checkout, "session_list", _list(lists, "session", checkout)),
        Call("GET", f"{checkout}/<id>", "session_get", _get(sessions.retrieve)),
        Call("POST", f"{checkout}/<id>/expire", "expire", _get(sessions.expire)),
        Call(
            "GET",
            f"{checkout}/<id>/line_items",
            "session_line_items",
            _get(lambda id: line_items(sessions.get(id))),
        ),
        Call("POST", "/v1/refunds", "refund", refunds.create),
        Call("GET", "/v1/refunds", "refund_list", _list(lists, "refund", "/v1/refunds")),
        Call("GET", "/v1/refunds/<id>", "refund_get", _get(refunds.get)),
        Call("POST", "/v1/refunds/<id>", "refund_update", refunds.update),
        Call("GET", "/v1/charges", "charge_list", _list(lists, "charge", "/v1/charges")),
        Call("GET", "/v1/charges/<id>", "charge_get", _get(simulator.charges.get)),
        Call("GET", "/v1/events", "event_list", _list(lists, "event", "/v1/events")),
        Call("GET", "/v1/events/<id>", "event_get", _get(simulator.callbacks.get)),
        Call("GET", "/v1/disputes", "dispute_list", _list(lists, "dispute", "/v1/disputes")),
        Call("GET", "/v1/disputes/<id>", "dispute_get", _get(disputes.get)),
        Call("POST", "/v1/disputes/<id>", "dispute_update", disputes.submit),
        Call("POST", "/v1/disputes/<id>/close", "dispute_close", _get(disputes.close)),
        Call("GET", "/v1/balance", "balance", simulator.balances.get),
    ]


def _get(function: Callable[[str], Document]) -> Function:
    """The function of a call that needs only the id in the path."""
    return lambda request, id: function(id)


def _list(lists: Lists, kind: str, path: str) -> Function:
    """The function of a call that lists objects of this kind."""
    return lambda request: lists.page(kind, request.body, path)


class StripeApi(Api):
    """Stripe's conventions."""

    provider = "stripe"

    def __init__(self, sandbox: Sandbox, lists: Lists) -> None:
        super().__init__(sandbox)
        self._keys = IdempotencyKeys(sandbox)
        self._lists = lists

    def check_headers(self, operation: str) -> None:
        check_key(self._sandbox)
        if request.method == "POST" and request.content_length and request.mimetype != FORM:
            raise errors.invalid(
                f"Invalid request (check that your POST content type is {FORM}). If you have questions, see the docs."
            )

    def read_body(self, call: Call) -> forms.Params:
        return _params()

    def subject(self, operation: str) -> Subject:
        """The amount of a PaymentIntent or session to be created, and the merchant's reference."""
        if request.method != "POST":
            return Subject()
        try:
            params = _params()
            return Subject(_amount(operation, params), _reference(params))
        except ApiError:
            return Subject()  # the call's function reports the error

    def server_error(self, status: int) -> ApiError:
        return errors.server_error(status)

    def rate_limited(self) -> ApiError:
        return errors.rate_limited()

    def token_expired(self, operation: str) -> ApiError:
        return errors.unauthorized("Expired API Key provided.", code="api_key_expired")

    def respond(self, body: Json, status: int) -> Response:
        assert isinstance(body, dict)
        return json_answer(self._lists.rendered(body, forms.words(_params(), "expand")), status)

    def perform(self, call: Call, plan: Plan, path: Mapping[str, Any]) -> Response:
        """Run the call's function, and store the answer before a fault can close the connection."""
        response = super().perform(call, plan, path)
        self._keys.store(response)
        return response

    def deduplicate(self, send: Callable[[], Response]) -> Response:
        def send_and_mark() -> Response:
            response = send()
            plan: Plan = g.plan
            if plan.before is not None or plan.rate_limited or plan.token_expired:
                g.is_replayable = False  # nothing was done
            elif plan.after is not None:
                g.is_replayable = True  # the faulty answer is the one to replay
            return response

        return self._keys.answer_once(send_and_mark)


def _params() -> forms.Params:
    source = request.args if request.method == "GET" else request.form
    return forms.parse(source.items(multi=True))


def _amount(operation: str, params: forms.Params) -> Decimal | None:
    if operation == "session":
        _, total, currency = read_line_items(params)
        return currencies.major(total, currency)
    if operation == "payment_intent":
        amount = forms.integer(params, "amount") or 0
        return currencies.major(amount, forms.required(params, "currency"))
    return None


def _reference(params: forms.Params) -> str | None:
    intent_metadata = forms.metadata(forms.branch(params, "payment_intent_data"))
    metadata = forms.metadata(params)
    return (
        intent_metadata.get("reference")
        or metadata.get("reference")
        or forms.text(params, "client_reference_id")
    )


def add_headers_and_fallback(blueprint: Blueprint) -> None:
    """Give every answer under `/v1` a request id, and refuse unknown paths."""

    def fallback(rest: str) -> Response:
        message = (
            f"Unrecognized request URL ({request.method}: /v1/{rest}). Please see https://stripe.com/docs or we can "
            "help at https://support.stripe.com/."
        )
        return ApiError(404, "invalid_request_error", message).answer()

    blueprint.before_request(_set_request_id)
    blueprint.after_request(_with_headers)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    blueprint.add_url_rule("/v1/<path:rest>", "fallback", fallback, methods=methods)


def _set_request_id() -> None:
    g.request_id = new_id("req", length=14)


def _with_headers(response: Response) -> Response:
    if request.path.startswith("/stripe/v1/"):
        response.headers["Request-Id"] = g.request_id
        response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)
    return response
