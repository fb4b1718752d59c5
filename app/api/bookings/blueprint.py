"""The blueprint of the Booking API's routes: a missing field is refused in document 004's words, and a path's last slash may be
left out."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError
from app.http import blueprint
from app.http.fields import MESSAGES
from app.http.parser import StrictParser

_MISSING = (MESSAGES["required"], MESSAGES["null"], "This may not be empty.")


class BookingParser(StrictParser):
    """`booking_id is required`, for a field that is absent, null or empty."""

    def refusal(self, messages: Any) -> GatewayError:
        error = super().refusal(messages)
        message = error.message.removeprefix(f"{error.field}: ")
        if error.field is not None and message in _MISSING:
            return type(error)(f"{error.field} is required", field=error.field)
        return type(error)(error.message, field=error.field)


class Blueprint(blueprint.Blueprint):
    ARGUMENTS_PARSER = BookingParser()

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        super().add_url_rule(rule, *args, **{"strict_slashes": False, **options})
