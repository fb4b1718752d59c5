"""OAuth 2 and webhooks of the Processing API's document."""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tour.backend import Backend
from tour.receiver import WebhookReceiver, receiving
from tour.report import Report

REDIRECT_URI: Final = "https://example.com/callback"
EVENTS: Final = ["payment.completed", "refund.completed"]
SIMULATED: Final = {
    "event_type": "payment.completed",
    "payload": {"payment": {"id": "pay_test", "amount": 99.99}},
}


def play_oauth(backend: Backend, report: Report) -> None:
    report.step("OAuth2 Authorize and OAuth2 Token Exchange")
    state = secrets.token_hex(8)
    path = (
        f"/oauth/authorize?response_type=code&client_id=my_app&redirect_uri={REDIRECT_URI}"
        f"&scope=payments:read&state={state}"
    )
    asked = backend.call("GET", path, who=None)
    answer = asked.json()
    report.expect("authorize", (asked.status_code, answer.get("expires_in")), (200, 600))
    returned = parse_qs(urlsplit(answer["redirect_uri"]).query)
    code = answer["authorization_code"]
    report.expect("code and state come back", returned, {"code": [code], "state": [state]})
    exchanged = _exchange(backend, code)
    token = exchanged.json()
    report.expect("token type", (exchanged.status_code, token.get("token_type")), (200, "Bearer"))
    report.expect("life and scope", (token["expires_in"], token["scope"]), (3600, "payments:read"))
    read = backend.call("GET", "/payments", who=None, headers=_bearer(token))
    report.expect("payments read with the token", read.status_code, 200)
    paid = backend.call("POST", "/payments", who=None, headers=_bearer(token), json={})
    report.expect("a payment with it", paid.status_code, 403)
    again = _exchange(backend, code)
    report.expect(
        "the code again", (again.status_code, again.json()["error"]["type"]), (400, "invalid_grant")
    )
    gone = backend.call("GET", "/payments", who=None, headers=_bearer(token))
    report.expect("and its token is revoked", gone.status_code, 401)


def _exchange(backend: Backend, code: str) -> Any:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "my_app",
        "client_secret": "my_secret",
    }
    return backend.call("POST", "/oauth/token", who=None, json=body)


def _bearer(token: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['access_token']}"}


def play_webhooks(backend: Backend, report: Report) -> None:
    report.step("Webhook Endpoints: registered, delivered to this machine, verified and replayed")
    with receiving() as receiver:
        body = {"url": receiver.url, "events": EVENTS}
        made = backend.call("POST", "/webhooks/endpoints", who="admin", json=body)
        report.expect("registered", (made.status_code, made.json().get("events")), (201, EVENTS))
        endpoint = made.json()
        _deliver(backend, report, receiver, endpoint["secret"])
        _replay(backend, report, receiver, endpoint)
        listed = backend.call("GET", "/webhooks/endpoints", who="admin").json()["data"]
        report.expect("listed", endpoint["id"] in {one["id"] for one in listed}, True)
        deleted = backend.call("DELETE", f"/webhooks/endpoints/{endpoint['id']}", who="admin").json()
        report.expect("deleted", (deleted["id"], deleted["deleted"]), (endpoint["id"], True))


def _deliver(backend: Backend, report: Report, receiver: WebhookReceiver, secret: str) -> None:
    payment = backend.pay().json()
    receiver.wait_for(1)
    message = receiver.verified(0, secret)
    report.expect(
        "the payment's event verifies", message is not None and message["type"], "payment.completed"
    )
    report.expect("it holds the payment", message["data"]["payment"], payment)
    event_id = receiver.received[0][0]["webhook-id"]
    events = backend.call("GET", "/webhooks/events?type=payment.completed&limit=20").json()["data"]
    report.expect("it is in the list of events", event_id in {event["id"] for event in events}, True)
    simulated = backend.call("POST", "/webhooks/simulate", who="admin", json=SIMULATED)
    report.expect("simulated", simulated.status_code, 200)
    receiver.wait_for(2)
    message = receiver.verified(1, secret)
    report.expect("the simulated event", message and message["data"], SIMULATED["payload"])


def _replay(backend: Backend, report: Report, receiver: WebhookReceiver, endpoint: dict[str, Any]) -> None:
    path = f"/webhooks/endpoints/{endpoint['id']}/deliveries"
    deliveries = backend.call("GET", path, who="admin").json()["data"]
    first = deliveries[-1]
    backend.call("POST", f"/webhooks/deliveries/{first['id']}/replay", who="admin")
    receiver.wait_for(3)
    ids = [headers["webhook-id"] for headers, _ in receiver.received]
    report.expect("replayed with the same id", ids[2], ids[0])
    report.expect("and the same bytes", receiver.received[2][1] == receiver.received[0][1], True)
