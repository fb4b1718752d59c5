"""The customer's phone as pages: open prompts, a PIN, and what came of them."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for

from app.sandbox.core import Sandbox
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.pushes import OF_THE_CUSTOMER, PROMPT_LIFE_S, STK_RESULTS, WRONG_PIN, Pushes
from app.sandbox.store import Document

TEST_NUMBER: Final = "254708374149"
_LISTED: Final = 20


def make_blueprint(sandbox: Sandbox, pushes: Pushes, keys: Keys) -> Blueprint:
    """Pages under /sandbox/phone, and /sandbox/mpesa/certificate."""
    blueprint = Blueprint("phone", __name__)
    blueprint.add_url_rule("/mpesa/certificate", "certificate", lambda: _certificate(keys))

    @blueprint.get("/phone")
    def prompts() -> str:
        found = list(reversed(sandbox.store.find("mpesa", "push")))
        waiting = [push for push in found if _has_prompt(pushes, push)]
        ended = [_told(push) for push in found if push["state"] != "pending"][:_LISTED]
        held = [phone["number"] for phone in sandbox.store.find("mpesa", "phone", is_held=True)]
        return render_template(
            "mpesa/phone.html", waiting=waiting, ended=ended, held=held, number=TEST_NUMBER
        )

    @blueprint.post("/phone/hold")
    def hold() -> Any:
        number = request.form.get("number", "").strip()
        kept = {"number": number, "is_held": request.form.get("do") != "release"}
        if not (number.isascii() and number.isdigit() and 9 <= len(number) <= 12):
            abort(400, "A phone number is 254 and nine digits.")
        with sandbox.database.transaction():
            if not sandbox.store.insert("mpesa", "phone", number, kept):
                sandbox.store.update("mpesa", "phone", number, lambda phone: phone.update(kept))
        return redirect(url_for("phone.prompts"))

    @blueprint.get("/phone/<id>")
    def prompt(id: str) -> str:
        push = pushes.get(id) or abort(404, "There is no such prompt.")
        sandbox.customers.import_external_refunds("mpesa", id)
        return render_template(
            "mpesa/prompt.html",
            push=_told(push),
            is_open=_has_prompt(pushes, push),
            life_s=PROMPT_LIFE_S,
            wrong_pin=WRONG_PIN,
            error=None,
        )

    @blueprint.post("/phone/<id>")
    def answered(id: str) -> Any:
        push = pushes.get(id) or abort(404, "There is no such prompt.")
        if not _has_prompt(pushes, push):
            return redirect(url_for("phone.prompt", id=id))
        pin = request.form.get("pin", "")
        if request.form.get("do") == "reject":
            pushes.reject(id)
        elif len(pin) == 4 and pin.isascii() and pin.isdigit():
            pushes.accept(id, pin)
        else:
            return render_template(
                "mpesa/prompt.html", push=_told(push), is_open=True, life_s=PROMPT_LIFE_S, wrong_pin=WRONG_PIN,
                error="A PIN has four digits.",
            ), 400  # fmt: skip
        return redirect(url_for("phone.prompt", id=id))

    return blueprint


def _certificate(keys: Keys) -> Response:
    return Response(keys.certificate(), mimetype="application/x-pem-file")


def _has_prompt(pushes: Pushes, push: Document) -> bool:
    """Whether the phone shows it: pushes that M-Pesa refuses or cannot deliver never get there."""
    return push["state"] == "pending" and pushes.code_of(push) in OF_THE_CUSTOMER - {"1037"}


def _told(push: Document) -> Document:
    return push | {"result": STK_RESULTS.get(push["code"] or "", "")}
