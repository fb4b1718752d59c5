"""How Pesapal answers: a JSON body whose `status` (a text) and `error` say what became of the call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response

from app import json_numbers

Document = dict[str, Any]


class Refused(Exception):
    """A call that is not done. status: Pesapal's own, in the body; http: the answer's, nearly always 200; kind: the
    error_type."""

    def __init__(
        self, code: str, message: str, *, status: str = "500", http: int = 200, kind: str = "api_error"
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.http, self.kind = code, message, status, http, kind


def refusal(error: Refused) -> Response:
    """The error object around a refusal."""
    body = {
        "error": error_object(error.code, error.message, kind=error.kind),
        "status": error.status,
        "message": error.message,
    }
    return answer(body, http=error.http)


def error_object(code: str, message: str, *, kind: str = "api_error") -> Document:
    """`{"error_type": "api_error", …}`."""
    return {"error_type": kind, "code": code, "message": message}


def unauthorised() -> Refused:
    """The bearer token is missing, unknown or over."""
    return Refused(
        "invalid_api_credentials_provided", "Invalid Access Token", status="401", http=401, kind="authentication_error"
    )  # fmt: skip


def answer(body: Mapping[str, Any] | list[Document], *, http: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status=http, mimetype="application/json")


def number(amount: str) -> int | float:
    """An amount as the JSON number Pesapal prints: 100, 100.5."""
    return json_numbers.plain(Decimal(amount))


def seven_digits(moment: datetime) -> str:
    """`2021-08-26T12:29:30.5177702Z`: .NET's clock ticks a hundred nanoseconds, so there are seven fractional digits."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + str(moment.microsecond % 9 + 1) + "Z"


def milliseconds(moment: datetime) -> str:
    """`2022-04-30T07:41:09.763`: no zone."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
