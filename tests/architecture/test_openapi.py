"""The OpenAPI document says what the code does: every route has an operation, every error of a surface is in its table."""

from __future__ import annotations

from flask import Flask

from app.api.wallet.schemas.errors import CODES, ERRORS
from app.http.errors import MethodNotAllowed
from app.http.guards import PUBLIC
from app.http.openapi import document, documented_routes
from app.http.openapi.errors import OF_GUARD
from app.http.surfaces import Surface
from app.http.table import policies
from app.routes import ERROR_BODIES, TABLE


def test_every_route_of_the_documented_rows_has_an_operation(app: Flask) -> None:
    pages = {row.blueprint.name for row in TABLE if not row.is_documented}
    wanted = {endpoint for endpoint in policies(app) if endpoint.partition(".")[0] not in pages}
    assert {route.endpoint for route in documented_routes(app)} == wanted


def test_every_guard_of_the_table_has_its_errors(app: Flask) -> None:
    used = {policy.guard for policy in policies(app).values()}
    assert used <= OF_GUARD.keys() and OF_GUARD[PUBLIC] == ()


def test_every_surface_with_documented_routes_has_an_error_body(app: Flask) -> None:
    assert {route.surface for route in documented_routes(app)} <= ERROR_BODIES.keys()


def test_the_codes_of_the_wallet_api_are_those_its_routes_end_in(app: Flask) -> None:
    with app.app_context():
        paths = document(app)["paths"]
    found = {
        code
        for route in documented_routes(app)
        if route.surface is Surface.WALLET
        for response in paths[route.path][route.method.lower()]["responses"].values()
        for code in response.get("x-error-codes", ())
    }
    nowhere = {MethodNotAllowed.code, "NOT_FOUND"}  # of paths that are no route
    assert found | nowhere == set(CODES)
    assert len(CODES) == len(set(CODES)) == len(ERRORS)


def test_requests_are_closed_and_answers_are_open(app: Flask) -> None:
    with app.app_context():
        spec = document(app)
    bodies = {
        media["schema"]["$ref"].rpartition("/")[2]
        for item in spec["paths"].values()
        for operation in item.values()
        for media in operation.get("requestBody", {}).get("content", {}).values()
    }
    nested = {"CustomerRequest", "BatchItem", "OrderItemRequest"}
    for name, schema in spec["components"]["schemas"].items():
        is_closed = schema.get("additionalProperties") is False
        assert is_closed == (name in bodies | nested), name
