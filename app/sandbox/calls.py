"""The API calls of a simulator: one table, registered in one way.

A simulator lists its calls as rows of `Call` and describes its provider's conventions in a subclass of `Api`. For every
request, `add_calls` does the same in the same order: check the headers, apply the planned faults, read the body, run the
call's function, and write its result or its refusal as the provider does.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from flask import Blueprint, Response, g, request
from werkzeug.datastructures import MultiDict

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.http import Refusal, json_response

Json = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Result = Json | tuple[Json, int]
"""What a call's function returns: the JSON of the answer, with an HTTP status where it is not 200."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as a call's function gets it. body: the parameters, as `Api.read_body` returns them."""

    body: dict[str, Any]
    query: MultiDict[str, str]
    plan: Plan


class Call(NamedTuple):
    """One row of the table.

    operation: the name that rules of /sandbox/control use. function: gets the ApiRequest and the variables of the path.
    """

    method: str
    path: str
    operation: str
    function: Callable[..., Result]


class Subject(NamedTuple):
    """What a request is about: fault rules match the reference, magic amounts the amount (in major units)."""

    amount: Decimal | None = None
    reference: str | None = None


class Api(ABC):
    """The conventions of one provider's API. Subclasses implement the abstract methods; the rest have defaults."""

    provider: ClassVar[str]

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    @abstractmethod
    def check_headers(self, operation: str) -> None:
        """Check the credentials, and the content type where the provider does. Raises a Refusal.

        Faults are planned only for requests that pass.
        """

    @abstractmethod
    def read_body(self, call: Call) -> dict[str, Any]:
        """The parameters of the request. Raises a Refusal when they cannot be read."""

    @abstractmethod
    def subject(self, operation: str) -> Subject:
        """What the request is about, as far as it can be read. Never raises."""

    @abstractmethod
    def server_error(self, status: int) -> Refusal:
        """The provider's error for this 5xx status."""

    @abstractmethod
    def rate_limited(self) -> Refusal:
        """The provider's error for too many requests."""

    @abstractmethod
    def token_expired(self, operation: str) -> Refusal:
        """The provider's error for a token or key that is no longer valid."""

    def respond(self, body: Json, status: int) -> Response:
        """The answer of a call that succeeded."""
        return json_response(body, status)

    def perform(self, call: Call, plan: Plan, path: Mapping[str, Any]) -> Response:
        """Run the call's function once."""
        try:
            result = call.function(ApiRequest(self.read_body(call), request.args, plan), **path)
            body, status = result if isinstance(result, tuple) else (result, 200)
            return self.respond(body, status)
        except Refusal as refusal:
            return refusal.answer()

    def deduplicate(self, send: Callable[[], Response]) -> Response:
        """Answer the request by `send`, or as an earlier request with the same idempotency key was answered."""
        return send()

    def answer(self, call: Call, path: Mapping[str, Any]) -> Response:
        """Answer a request."""
        try:
            self.check_headers(call.operation)
            return self.deduplicate(lambda: self._with_faults(call, path))
        except Refusal as refusal:
            return refusal.answer()

    def _with_faults(self, call: Call, path: Mapping[str, Any]) -> Response:
        amount, reference = self.subject(call.operation)
        faults = self._sandbox.faults
        plan = g.plan = faults.plan(self.provider, call.operation, amount=amount, reference=reference)
        if plan.delay_s:
            time.sleep(plan.delay_s)
        if plan.token_expired:
            return self.token_expired(call.operation).answer()
        if plan.rate_limited:
            return self.rate_limited().answer()
        if plan.before is not None:
            return self.server_error(plan.before).answer()
        response = self.perform(call, plan, path)
        if plan.drop:
            close_connection()
        return response if plan.after is None else self.server_error(plan.after).answer()


def add_calls(blueprint: Blueprint, api: Api, calls: Sequence[Call]) -> None:
    """Register every row of the table."""
    for call in calls:
        endpoint = f"{call.method} {call.path}"
        blueprint.add_url_rule(call.path, endpoint, _view(api, call), methods=[call.method])


def _view(api: Api, call: Call) -> Callable[..., Response]:
    return lambda **path: api.answer(call, path)


def close_connection() -> None:
    """Close the socket of this request: the client receives no byte of the answer."""
    connection: socket.socket = request.environ["gunicorn.socket"]
    connection.shutdown(socket.SHUT_RDWR)
