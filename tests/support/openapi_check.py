"""Every answer that tests get from an application in this process is held against the OpenAPI document.

Loaded as a pytest plugin by tests/conftest.py. A test fails when an answer's status, headers or body are not in the
document. Objects in answers are documented as open, for clients; here a field that no schema names is a failure, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import jsonschema_rs
import pytest
from flask import Flask, Response
from flask.signals import request_finished

from app.http.openapi import document, documented_routes
from app.http.surfaces import surface_of

_QUIET = frozenset({"OPTIONS", "HEAD"})


class Contract:
    """The documented answers of one application's routes, each compiled when it is first needed."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            self.spec = document(app)
            routes = list(documented_routes(app))
        self._places = {(route.endpoint, route.method): route.path for route in routes}
        self._schemas = {name: closed(schema) for name, schema in self.spec["components"]["schemas"].items()}
        self._errors = {
            surface: body.schema.__name__ for surface, body in app.extensions["error_bodies"].items()
        }
        self._compiled: dict[object, Any] = {}

    def problem(self, endpoint: str, method: str, response: Response) -> str | None:
        """What is wrong with an answer of a documented route, in one sentence; None when it is as documented."""
        path = self._places.get((endpoint, method))
        if path is None:
            return None
        status = str(response.status_code)
        found = self.spec["paths"][path][method.lower()]["responses"].get(status)
        where = f"{method} {path} answered {status}"
        if found is None:
            return f"{where}, which is not documented for it: {response.get_data(as_text=True)[:300]}"
        if missing := [
            name
            for name in ("Retry-After", "Idempotent-Replayed")
            if name in response.headers and name not in found["headers"]
        ]:
            return f"{where} with the header {missing[0]}, which is not documented for it."
        media = found.get("content", {}).get(response.mimetype)
        if media is None and (response.data or "content" in found):
            return f"{where} as {response.mimetype}, which is not documented for it."
        if media is None or response.mimetype != "application/json":
            return None
        return self._judge(
            where, (path, method, status), media["schema"], response, found.get("x-error-codes")
        )

    def error_problem(self, path: str, method: str, response: Response) -> str | None:
        """The same for an error of no route: its body is the surface's."""
        name = self._errors.get(surface_of(path, method))
        if name is None or response.mimetype != "application/json":
            return None
        where = f"{method} {path} answered {response.status_code}"
        return self._judge(where, name, {"$ref": f"#/components/schemas/{name}"}, response)

    def _judge(
        self, where: str, key: object, schema: Any, response: Response, codes: list[str] | None = None
    ) -> str | None:
        validator = self._compiled.get(key)
        if validator is None:
            whole = {**schema, "components": {"schemas": self._schemas}}
            validator = self._compiled[key] = jsonschema_rs.validator_for(whole, validate_formats=True)
        body = response.get_json()
        error = next(validator.iter_errors(body), None)
        if error is not None:
            place = ".".join(map(str, error.instance_path)) or "the body"
            return f"{where}; {place}: {error.message[:400]}"
        code = body["error"]["code"] if codes and isinstance(body.get("error"), dict) else None
        if code is not None and codes is not None and code not in codes:
            return f"{where} with the code {code}, which is not documented for it."
        return None


def closed(schema: Any) -> Any:
    """The schema, its objects without fields that they do not name."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(inner) for name, inner in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found


class Watch:
    """Listens to every application of this process."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.answers = 0
        self._contract: Contract | None = None

    def __call__(self, app: Flask, *, response: Response, **_: Any) -> None:
        request = flask.request
        if request.method in _QUIET or "error_bodies" not in app.extensions:
            return
        if self._contract is None:
            self._contract = Contract(app)
        self.answers += 1
        if request.endpoint is not None:
            problem = self._contract.problem(request.endpoint, request.method, response)
        elif response.status_code >= 400:
            problem = self._contract.error_problem(request.path, request.method, response)
        else:
            problem = None
        if problem is not None:
            self.problems.append(problem)


@pytest.fixture(scope="session", autouse=True)
def openapi_watch() -> Iterator[Watch]:
    """The one watch of this process."""
    watch = Watch()
    request_finished.connect(watch, weak=False)
    yield watch
    request_finished.disconnect(watch)


@pytest.fixture(autouse=True)
def answers_are_as_documented(openapi_watch: Watch) -> Iterator[None]:
    """Fails the test that got another answer than /openapi.json promises."""
    openapi_watch.problems.clear()
    yield
    found = list(dict.fromkeys(openapi_watch.problems))
    openapi_watch.problems.clear()
    if found:
        pytest.fail("Not as /openapi.json says:\n" + "\n".join(found), pytrace=False)
