"""The official SDK, configured like `HttpClient`: no retries, no telemetry, no redirects, one error tree."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, TypeVar

import requests
import stripe
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from app.providers import deadline
from app.providers.base import Account, Context
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from app.providers.facts import retry_after_s
from app.providers.http import read_body, translated

T = TypeVar("T")

# Telemetry would write a file into the home folder. The SDK's own log holds bodies, and with them client secrets.
stripe.enable_telemetry = False
logging.getLogger("stripe").setLevel(logging.WARNING)

ERRORS: Final[tuple[tuple[type[stripe.StripeError], type[ProviderError]], ...]] = (
    (stripe.CardError, Declined),
    # The key was sent before with other parameters: that earlier request may well have charged.
    (stripe.IdempotencyError, DuplicateReference),
    (stripe.InvalidRequestError, RequestRejected),
    (stripe.AuthenticationError, AuthFailed),
    (stripe.PermissionError, AuthFailed),
    (stripe.RateLimitError, RateLimited),
)
"""What Stripe's own error bodies mean. Anything else (409, 5xx, an answer that is not Stripe's) is unknown."""

UNREADABLE: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What the SDK raises for a 200 whose JSON is not an object of Stripe's."""


class _BoundedAdapter(HTTPAdapter):
    """Reads the whole answer before the SDK sees it, no more of it and no longer than `HttpClient` would."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        until = time.monotonic() + deadline.remaining(sum(timeout))
        response = super().send(request, True, timeout, verify, cert, proxies)
        try:
            # Where requests itself keeps a body that was read.
            response._content = read_body(response, until=until)
        finally:
            response.close()
        return response


def make_client(account: Account, context: Context) -> stripe.StripeClient:
    """A client for one account, safe to share between threads."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _BoundedAdapter(pool_connections=4, pool_maxsize=32)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return stripe.StripeClient(
        account["api_key"],
        stripe_version=account["api_version"] or None,
        base_addresses={"api": account.base_url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(
            timeout=(context.connect_timeout_s, context.timeout_s), session=session
        ),
    )


def call(work: Callable[[], stripe.StripeObject]) -> dict[str, Any]:
    """What `work` gets from Stripe, as plain data. Raises ProviderError."""
    deadline.remaining(1.0)
    try:
        return work().to_dict()
    except stripe.APIConnectionError as error:
        cause = error.__cause__
        if isinstance(cause, ProviderError):
            raise cause from None
        if isinstance(cause, (requests.RequestException, HTTPError)):
            raise translated(cause) from None
        raise OutcomeUnknown from None
    except stripe.StripeError as error:
        raise to_provider_error(error) from None
    except UNREADABLE:
        raise OutcomeUnknown("Stripe's answer cannot be read.") from None


def to_provider_error(error: stripe.StripeError) -> ProviderError:
    """Our error for one of the SDK's. The text of a credentials error shows part of the key: it is dropped."""
    facts = _facts(error)
    answered: dict[str, Any] = {
        "code": facts.get("decline_code") or facts.get("code") or facts.get("type"),
        "response": facts,
        "retry_after_s": retry_after_s(
            {name.lower(): str(value) for name, value in (error.headers or {}).items()}
        ),
    }
    for theirs, ours in ERRORS:
        if isinstance(error, theirs):
            return ours(None if ours is AuthFailed else error.user_message, **answered)
    return OutcomeUnknown(**answered)


def _facts(error: stripe.StripeError) -> dict[str, Any]:
    """The useful members of Stripe's error body, and the request's id for its support."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    inner = body.get("error")
    found = inner if isinstance(inner, dict) else {}
    names = ("type", "code", "decline_code", "param", "charge")
    facts = {name: found[name] for name in names if isinstance(found.get(name), str)}
    intent = found.get("payment_intent")
    if isinstance(intent, dict) and isinstance(intent.get("id"), str):
        facts["payment_intent"] = intent["id"]
    if error.http_status is not None:
        facts["http_status"] = error.http_status
    if isinstance(error.request_id, str):
        facts["request_id"] = error.request_id
    return facts
