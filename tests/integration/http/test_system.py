"""Health, version, metrics, the OpenAPI document and its page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.cli.relay import make_relay
from app.http.openapi import documented_routes
from app.version import VERSION
from app.web.docs import ASSETS
from tests.support.event_log import NoPushes


@pytest.fixture(autouse=True)
def checks_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.operator.health.READINESS_LIFE_S", 0.0)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/api/v1/health", "/api/v1/health/live"])
def test_alive(client: FlaskClient, path: str) -> None:
    assert client.get(path).get_json() == {"status": "ok", "version": VERSION}


@pytest.fixture
def relay(app: Flask):
    with app.app_context():
        running = make_relay(app.config, NoPushes())
        running.step()
        yield running
        running.close()


@pytest.mark.parametrize("path", ["/health/ready", "/api/v1/health/ready"])
def test_ready_when_everything_is(client: FlaskClient, relay, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.data
    assert answer.get_json()["checks"] == dict.fromkeys(
        ["database", "migrations", "ledger", "relay", "clock", "redis"], "ok"
    )


def test_not_ready_without_a_relay(client: FlaskClient) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.get_json()["checks"]["relay"] == "No relay is running."


def test_not_ready_without_redis(settings: dict[str, str], relay) -> None:
    answer = (
        create_app({**settings, "REDIS_URL": "redis://:pw-secret@127.0.0.1:1/0"})
        .test_client()
        .get("/health/ready")
    )
    checks = answer.get_json()["checks"]
    assert answer.status_code == 503 and "Redis does not answer" in checks["redis"]
    assert checks["database"] == "ok" and "pw-secret" not in answer.get_data(as_text=True)


def test_not_ready_without_the_database(settings: dict[str, str]) -> None:
    url = "postgresql://malipo_app:pw-secret@127.0.0.1:1/none"
    answer = create_app({**settings, "DATABASE_URL": url}).test_client().get("/health/ready")
    checks = answer.get_json()["checks"]
    assert answer.status_code == 503 and checks["database"] == "The database does not answer."
    assert checks["redis"] == "ok" and "pw-secret" not in answer.get_data(as_text=True)


def test_not_ready_before_the_migrations(settings: dict[str, str], app: Flask) -> None:
    from launcher.embedded import APPLICATION
    from tests.support import servers

    servers.postgres().create_database("unmigrated")
    url = servers.postgres().url(APPLICATION, "unmigrated")
    answer = create_app({**settings, "DATABASE_URL": url}).test_client().get("/health/ready")
    checks = answer.get_json()["checks"]
    assert (
        answer.status_code == 503
        and "migration" in checks["migrations"]
        and "cannot be called" in checks["ledger"]
    )


@pytest.mark.parametrize("path", ["/version", "/api/v1/version"])
def test_version(client: FlaskClient, path: str) -> None:
    assert client.get(path).get_json() == {"name": "Malipo", "version": VERSION}


def test_metrics_count_by_route_and_not_by_id(settings: dict[str, str], payer, publish) -> None:
    client = create_app(settings).test_client()
    for number in range(3):
        client.get(f"/api/v1/accounts/acc_{number}", headers=payer.headers)
    client.get("/nope-1")
    client.get("/nope-2")
    text = client.get("/metrics").get_data(as_text=True)
    assert 'malipo_requests_total{method="GET",route="/api/v1/accounts/<wallet_id>",status="404"} 3.0' in text
    assert 'malipo_requests_total{method="GET",route="-",status="404"} 2.0' in text
    assert 'malipo_request_seconds_count{method="GET",route="/api/v1/accounts/<wallet_id>"} 3.0' in text
    publish()
    text = client.get("/metrics").get_data(as_text=True)
    assert re.search(r"^malipo_outbox 0\.0$", text, re.M) and re.search(r"^malipo_unfolded 0\.0$", text, re.M)
    head = re.search(r"^malipo_event_head (\d+)", text, re.M)
    assert head and int(head[1]) > 0 and "malipo_database_up 1.0" in text
    assert {f"malipo_{name}" for name in ("jobs_due", "jobs_dead", "pushed_through")} <= set(
        re.findall(r"^\w+", text, re.M)
    )


def test_unknown_methods_make_no_series(settings: dict[str, str]) -> None:
    client = create_app(settings).test_client()
    for number in range(5):
        client.open("/health", method=f"M{number}")
    text = client.get("/metrics").get_data(as_text=True)
    assert "M1" not in text and 'method="other"' in text


def test_metrics_without_a_database(settings: dict[str, str]) -> None:
    app = create_app({**settings, "DATABASE_URL": "postgresql://malipo_app:x@127.0.0.1:1/none"})
    assert "malipo_database_up 0.0" in app.test_client().get("/metrics").get_data(as_text=True)


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


def test_every_api_route_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    routes = list(documented_routes(app))
    wanted = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith(("/api/", "/v1/"))}
    assert wanted <= {route.endpoint for route in routes}
    for route in routes:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"] and operation["responses"], route
        assert any(status.startswith("2") for status in operation["responses"]), route


def test_the_document_says_which_routes_are_open(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1") and document["security"] == [{"accessToken": []}]
    assert document["paths"]["/api/v1/auth/login"]["post"]["security"] == []
    assert "security" not in document["paths"]["/api/v1/auth/logout"]["post"]
    assert "security" not in document["paths"]["/api/v1/payments"]["post"]


def test_the_document_is_whole(document: dict[str, Any]) -> None:
    """Every reference leads somewhere, every path parameter is described, every schema is a JSON Schema."""
    from jsonschema import Draft202012Validator

    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in _references(document):
        assert reference.startswith("#/"), reference
        found: Any = document
        for part in reference[2:].split("/"):
            found = found[part]
    for path, item in document["paths"].items():
        for method in set(item) - {"parameters"}:
            described = {
                p["name"]
                for p in item.get("parameters", []) + item[method].get("parameters", [])
                if p["in"] == "path"
            }
            assert described == set(re.findall(r"{(\w+)}", path)), path
    signatures = [re.sub(r"{\w+}", "{}", path) for path in document["paths"]]
    assert len(signatures) == len(set(signatures)), "two paths differ only in a parameter's name"


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    return [found for inner in value for found in _references(inner)] if isinstance(value, list) else []


def test_the_page_has_all_it_needs_from_here(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.mimetype == "text/html" and "script-src 'self';" in page.headers["Content-Security-Policy"]
    text = page.get_data(as_text=True)
    needed = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(needed) >= len(ASSETS) + 1
    for address in needed:
        answer = client.get(address)
        assert answer.status_code == 200 and answer.content_length, address
    assert client.get("/docs/swagger-ui-bundle.js").mimetype == "text/javascript"
    assert b"SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").data


@pytest.mark.parametrize(
    "name", ["..%2fdocs.py", "../docs.py", "index.html", "start.js.map", "%2e%2e", "__init__.py"]
)
def test_the_page_gives_no_other_file(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


def test_the_root_says_where_things_are(client: FlaskClient) -> None:
    links = client.get("/").get_json()
    for name in ("documentation", "openapi"):
        assert client.get(links[name]).status_code == 200
