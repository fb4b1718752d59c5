"""Forms that pages post: their fields, and whether a page of ours posted them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from flask import Request, current_app

from app.errors import InvalidBody
from app.http import strict_json

TYPE: Final = "application/x-www-form-urlencoded"
"""What browsers send a form as that names no other."""

MAX_BYTES: Final = 16_384
"""Of a body."""

MAX_FIELDS: Final = 50
"""A megabyte of fields would cost a second."""


def read_pairs(request: Request) -> list[tuple[str, str]]:
    """The fields of an encoded form, in their order, empty ones too. Raises InvalidBody, PayloadTooLarge."""
    try:
        text = strict_json.read_bytes(request, MAX_BYTES).decode()
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidBody("The body is no form of UTF-8 text.") from None


def is_from_own_page(request: Request, *, may_hide_origin: bool = False) -> bool:
    """Whether a page of ours posted the form. Browsers that send no Sec-Fetch-Site are judged by their Origin.

    may_hide_origin: the page has the policy no-referrer, under which its forms come with `Origin: null`.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site == "same-origin"
    own = {request.host_url.rstrip("/"), current_app.config["PUBLIC_URL"]}
    return origin in own or (may_hide_origin and origin == "null")
