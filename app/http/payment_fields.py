"""Fields of a payment's request: phone, e-mail, return address, provider, amount."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import urlsplit

import phonenumbers
from marshmallow import ValidationError

from app.errors import InvalidRequest
from app.http import fields
from app.money import MAX_TEXT
from app.providers import NAMES, PROVIDERS
from app.services.identity import emails

PROVIDER_CHOICES: Final = (*NAMES, "auto")
"""What a payment may be asked for by; `auto` leaves the choice to the gateway."""

_COUNTRIES: Final = frozenset({"RW"}).union(
    *(adapter.capabilities.countries for adapter in PROVIDERS.values())
)
"""Rwanda has no provider of its own here, but its currency can be collected by card."""

REGIONS: Final[Mapping[str, str]] = {
    currency: currency[:2]
    for adapter in PROVIDERS.values()
    for currency in adapter.capabilities.currencies
    if currency[:2] in _COUNTRIES
}
"""Currency → the country a phone number without a country code is of: the one that the currency's code begins with, where a
provider serves it. Other currencies have no such country."""

MAX_URL: Final = 2000


def e164(phone: str, currency: str) -> str:
    """`phone` as `+254712345678`. Raises ValidationError with a sentence for the caller.

    Only the length is checked (a *possible* number): the provider decides whether it is in use, and the simulators'
    numbers are not.
    """
    try:
        number = phonenumbers.parse(phone, REGIONS.get(currency))
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValidationError("This must be a phone number with its country code, such as +254712345678.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class Phone(fields.Text):
    """A phone number in any usual spelling; `e164` reads it, given the payment's currency."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, pattern=r"\+?[0-9][0-9 -]*", **kwargs)
        self.metadata = {
            "description": "E.164, or national where the currency determines the country.",
            "examples": ["+254712345678"],
            **self.metadata,
        }


class PrintedText(fields.FreeText):
    """A free text of printable characters, not all of them spaces: people read it on pages, phones and statements."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.strip():
            raise ValidationError("This may not be empty.")
        if not text.isprintable():
            raise ValidationError("This holds a character that cannot be printed.")
        return text


class Email(fields.Text):
    """An e-mail address, kept as it is written."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=emails.MAX_LENGTH, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            emails.normal(text)
        except InvalidRequest as error:
            raise ValidationError(error.message) from None
        if text != text.strip():
            raise ValidationError("This is not a valid e-mail address.")
        return text


class WebAddress(fields.Text):
    """An absolute http or https URL in ASCII, without credentials in it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_URL, **kwargs)
        self.metadata = {"format": "uri", **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not _is_web_address(text):
            raise ValidationError("This must be an http or https address.")
        return text


def _is_web_address(text: str) -> bool:
    # A backslash or a space is where browsers and urlsplit begin to disagree about the host.
    if not text.isascii() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        has_good_port = parts.port != 0
    except ValueError:
        return False
    is_host_alone = bool(parts.hostname) and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and is_host_alone and has_good_port


class ProviderName(fields.Text):
    """A provider's name in any case; lower case afterwards."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=32, **kwargs)
        self.metadata = {
            "type": "string",
            "enum": list(PROVIDER_CHOICES),
            **{
                name: value
                for name, value in self.metadata.items()
                if name not in ("type", "minLength", "maxLength")
            },
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or value.lower() not in PROVIDER_CHOICES:
            raise ValidationError(f"Provider must be one of: {', '.join(PROVIDER_CHOICES)}")
        return value.lower()


class PositiveAmount(fields.Amount):
    """An amount above zero, else `message`; the rest is Money.parse's to judge, which needs the currency."""

    def __init__(self, message: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allow_none = False
        self.message = message

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
            raise ValidationError("The amount must be a number or a decimal string.")
        if _is_at_most_zero(value):
            raise ValidationError(self.message)
        return super()._deserialize(value, attr, data, **kwargs)


def _is_at_most_zero(value: int | Decimal | str) -> bool:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return False  # refused for its length later
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    return number.is_finite() and number <= 0
