"""The sandbox's own HTTP: control, the providers' records, callbacks, and the index page."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from app.sandbox.core import Sandbox
from app.sandbox.dashboard import CREDENTIALS
from app.sandbox.faults import RuleInvalid, checked_rule

LOCAL: Final = ("127.0.0.1", "::1")
TITLES: Final = {
    "mpesa": "M-Pesa",
    "stripe": "Stripe",
    "chapa": "Chapa",
    "paystack": "Paystack",
    "pesapal": "Pesapal",
}
_LINKS: Final = ("page", "_page", "checkout_url", "authorization_url", "redirect_url", "url")
_REFERENCES: Final = ("tx_ref", "merchant_reference", "client_reference_id", "reference", "_id")
"""The merchant's reference of a payment comes first, because users search for it."""


class ControlInvalid(ValueError):
    """A request to /sandbox/control is not valid; the message says why."""


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Everything under /sandbox, except the M-Pesa phone."""
    blueprint = Blueprint("sandbox", __name__)
    blueprint.before_request(lambda: _forbidden(sandbox))
    blueprint.errorhandler(ControlInvalid)(_invalid)
    blueprint.errorhandler(RuleInvalid)(_invalid)
    _add_control(blueprint, sandbox)
    _add_reading(blueprint, sandbox)
    return blueprint


def _add_control(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/control")
    def get_control() -> dict[str, Any]:
        return state(sandbox)

    @blueprint.post("/control")
    def change_control() -> dict[str, Any]:
        apply(sandbox, request.get_json(silent=True))
        return state(sandbox)

    @blueprint.delete("/control")
    def delete_rules() -> dict[str, Any]:
        sandbox.control.set("rules", [])
        return state(sandbox)

    @blueprint.post("/control/reset")
    def reset() -> dict[str, Any]:
        sandbox.reset()
        return state(sandbox)

    @blueprint.post("/callbacks/<int:id>/repeat")
    def repeat_callback(id: int) -> Any:
        if not sandbox.callbacks.repeat(id):
            return {"error": "There is no such callback."}, 404
        return {"id": id, "status": "waiting"} if request.is_json else redirect(url_for("sandbox.index"))


def _add_reading(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @blueprint.get("/book")
    def totals() -> dict[str, Any]:
        """Of every provider, by currency."""
        return {"totals": {name: sandbox.records.read(name)["totals"] for name in TITLES}}

    @blueprint.get("/book/<provider>")
    def records(provider: str) -> dict[str, Any]:
        return sandbox.records.read(provider, reference=request.args.get("reference"))

    @blueprint.get("/waiting")
    def waiting() -> dict[str, int]:
        """The number of timers that are running or due, and with those due within `within` seconds (default 1). For tests."""
        return {
            "due": sandbox.timers.waiting(0.0),
            "due_soon": sandbox.timers.waiting(request.args.get("within", 1.0, type=float)),
        }

    @blueprint.get("/callbacks")
    def callbacks() -> dict[str, Any]:
        return {"callbacks": sandbox.callbacks.listed(request.args.get("provider"))}

    @blueprint.get("/")
    def index() -> str:
        providers = [
            {
                "name": name,
                "title": title,
                "payments": _payments(sandbox, name),
                "totals": sandbox.records.read(name)["totals"],
            }
            for name, title in TITLES.items()
        ]
        callbacks = list(reversed(sandbox.callbacks.listed(limit=15)))
        return render_template(
            "sandbox/index.html", providers=providers, callbacks=callbacks, control=state(sandbox)
        )


def _payments(sandbox: Sandbox, provider: str) -> list[dict[str, Any]]:
    """The latest documents that have a page, as rows of the index page."""
    rows = []
    for document in sandbox.store.latest(provider, limit=100):
        link = next((document[name] for name in _LINKS if isinstance(document.get(name), str)), None)
        if link and _is_in_sandbox(sandbox, link):
            reference = next(document[name] for name in _REFERENCES if document.get(name))
            row = {
                "reference": reference,
                "link": link,
                "status": document.get("status") or document.get("state") or "",
                "amount": document.get("_in_major") or document.get("amount", ""),
                "currency": document.get("currency", "").upper(),
            }
            rows.append(row)
    return rows[:10]


def _is_in_sandbox(sandbox: Sandbox, link: str) -> bool:
    return link.startswith(("/", f"{sandbox.settings.public_url}/"))


def state(sandbox: Sandbox) -> dict[str, Any]:
    """All controlled values."""
    names = ("autopay_s", "rules", "webhooks", "credentials", "options", "advance_s")
    values = {name: sandbox.control.get(name) for name in names}
    if values["autopay_s"] is None:
        values["autopay_s"] = "off"
    default_webhooks = {name: sandbox.dashboard.webhook_url(name) for name in CREDENTIALS}
    values["webhooks"] = default_webhooks | values["webhooks"]
    return values


def apply(sandbox: Sandbox, wanted: object) -> None:
    """Set all values in `wanted`, or none. Raises ControlInvalid, RuleInvalid."""
    if not isinstance(wanted, dict):
        raise ControlInvalid("Send a JSON object.")
    if unknown := sorted(set(wanted) - set(_CHECKS)):
        raise ControlInvalid(f"There is nothing called {unknown[0]!r}: use {', '.join(_CHECKS)}.")
    checked: dict[str, Any] = {name: _CHECKS[name](name, value) for name, value in wanted.items()}
    for name, value in checked.items():
        is_added = name in ("webhooks", "credentials", "options")
        sandbox.control.set(name, {**sandbox.control.get(name), **value} if is_added else value)


def _seconds(name: str, value: object) -> float | None:
    if name == "autopay_s" and value in ("off", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**8:
        raise ControlInvalid(f"{name} is a number of seconds, 0 or more.")
    return value


def _rules(name: str, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ControlInvalid(f"{name} is a list.")
    return [checked_rule(rule) for rule in value]


def _webhooks(name: str, value: object) -> dict[str, str | None]:
    if not isinstance(value, dict):
        raise ControlInvalid(f"{name} is an object: provider to URL.")
    for url in value.values():
        if url is not None and (not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https")):
            raise ControlInvalid(f"{name} are http URLs, or null for none.")
    return value


def _texts(name: str, value: object) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict) or not all(isinstance(of, dict) for of in value.values()):
        raise ControlInvalid(f"{name} is an object of objects: provider to name to text.")
    if not all(isinstance(text, str) for of in value.values() for text in of.values()):
        raise ControlInvalid(f"{name} are texts.")
    return value


_CHECKS: Final = {
    "autopay_s": _seconds,
    "advance_s": _seconds,
    "rules": _rules,
    "webhooks": _webhooks,
    "credentials": _texts,
    "options": _texts,
}


def _forbidden(sandbox: Sandbox) -> tuple[dict[str, str], int] | None:
    """The error for a request that may not change anything; None when it may, or when it only reads.

    A page of another site can make a browser send requests here. It cannot send JSON without a preflight request, or hide
    its origin.
    """
    is_reading = request.method in ("GET", "HEAD", "OPTIONS") and not request.path.startswith(
        "/sandbox/control"
    )
    if is_reading or not request.path.startswith(("/sandbox/control", "/sandbox/callbacks")):
        return None
    origin = request.headers.get("Origin")
    if request.remote_addr not in LOCAL:
        return {"error": "Only this machine controls the sandbox."}, 403
    if origin is not None and urlsplit(origin).netloc != request.host:
        return {"error": "Another site cannot control the sandbox."}, 403
    if request.method == "POST" and origin is None and not request.is_json:
        return {"error": "Send Content-Type: application/json."}, 415
    return None


def _invalid(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 422


def plain_error(error: HTTPException) -> tuple[Response, int]:
    """An HTTP error outside the simulators."""
    return jsonify(error=error.description), error.code or 500
