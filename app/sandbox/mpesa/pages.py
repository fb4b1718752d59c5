"""The customer's phone as pages: open prompts, a PIN, and the results. And the certificate of Daraja's portal."""

from __future__ import annotations

from typing import Final

from flask import Response, abort, request, url_for

from app.sandbox.core import Sandbox
from app.sandbox.http import see_other
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.payments import CUSTOMER_CODES, PROMPT_LIFETIME_S, STK_RESULTS, WRONG_PIN, Pushes
from app.sandbox.pages import Page, render
from app.sandbox.store import Document

TEST_NUMBER: Final = "254708374149"
_LISTED: Final = 20


class Phone:
    """The pages under /sandbox/phone."""

    def __init__(self, sandbox: Sandbox, pushes: Pushes) -> None:
        self._sandbox = sandbox
        self._pushes = pushes

    def prompts(self) -> Response:
        """The open prompts, the latest results, and the phones that a user holds."""
        store = self._sandbox.store
        pushes = list(reversed(store.find("mpesa", "push")))
        return render(
            "mpesa/phone.html",
            waiting=[push for push in pushes if self._has_prompt(push)],
            ended=[_with_result(push) for push in pushes if push["state"] != "pending"][:_LISTED],
            held=[phone["number"] for phone in store.find("mpesa", "phone", is_held=True)],
            number=TEST_NUMBER,
        )

    def hold(self) -> Response:
        """Hold or release a phone."""
        number = request.form.get("number", "").strip()
        if not (number.isascii() and number.isdigit() and 9 <= len(number) <= 12):
            abort(400, "A phone number is 254 and nine digits.")
        phone = {"number": number, "is_held": request.form.get("do") != "release"}
        self._sandbox.store.put("mpesa", "phone", number, phone)
        return see_other(url_for("phone.prompts"))

    def prompt(self, id: str) -> Response:
        """One prompt. The user who opened it decides, so the simulated customer does not act."""
        push = self._push(id)
        self._sandbox.customers.cancel("mpesa", id)
        return self._prompt_page(push, is_open=self._has_prompt(push))

    def answer(self, id: str) -> Response:
        """Enter a PIN, or cancel."""
        push = self._push(id)
        if not self._has_prompt(push):
            return see_other(url_for("phone.prompt", id=id))
        pin = request.form.get("pin", "")
        if request.form.get("do") == "reject":
            self._pushes.reject(id)
        elif len(pin) == 4 and pin.isascii() and pin.isdigit():
            self._pushes.accept(id, pin)
        else:
            return self._prompt_page(push, 400, is_open=True, error="A PIN has four digits.")
        return see_other(url_for("phone.prompt", id=id))

    def _push(self, id: str) -> Document:
        return self._pushes.get(id) or abort(404, "There is no such prompt.")

    def _has_prompt(self, push: Document) -> bool:
        """Whether the phone shows the push. Those that M-Pesa refuses or cannot deliver do not reach it."""
        return push["state"] == "pending" and self._pushes.code_of(push) in CUSTOMER_CODES - {"1037"}

    def _prompt_page(
        self, push: Document, status: int = 200, *, is_open: bool, error: str | None = None
    ) -> Response:
        return render(
            "mpesa/prompt.html",
            status,
            push=_with_result(push),
            is_open=is_open,
            lifetime_s=PROMPT_LIFETIME_S,
            wrong_pin=WRONG_PIN,
            error=error,
        )


def pages(sandbox: Sandbox, pushes: Pushes, keys: Keys) -> list[Page]:
    """(method, path, name, function)"""
    phone = Phone(sandbox, pushes)

    def certificate() -> Response:
        return Response(keys.certificate(), mimetype="application/x-pem-file")

    return [
        Page("GET", "/mpesa/certificate", "certificate", certificate),
        Page("GET", "/phone", "prompts", phone.prompts),
        Page("POST", "/phone/hold", "hold", phone.hold),
        Page("GET", "/phone/<id>", "prompt", phone.prompt),
        Page("POST", "/phone/<id>", "answer", phone.answer),
    ]


def _with_result(push: Document) -> Document:
    return push | {"result": STK_RESULTS.get(push["code"] or "", "")}
