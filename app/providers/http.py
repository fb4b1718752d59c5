"""HTTP to providers: one session wrapper that turns every way of failing into the error tree.

Nothing is retried here. Redirects are not followed, cookies not kept, answers cut off at MAX_ANSWER_BYTES.
Bodies, credentials and URLs with queries never reach a log or an error.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from ssl import SSLCertVerificationError
from typing import Any, Final, Literal

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)
from urllib3.util import Retry

from app import json_numbers
from app.providers import deadline
from app.providers.errors import NotSent, OutcomeUnknown

MAX_ANSWER_BYTES: Final = 1_000_000

Method = Literal["GET", "POST", "PUT"]


@dataclass(frozen=True, slots=True)
class Answer:
    """status: HTTP. body: the JSON, numbers as int or Decimal; None when it is not JSON, or holds a
    number beyond app/json_numbers.py. headers: lower-case names."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def object(self) -> dict[str, Any]:
        """The body as an object; an empty one for anything else."""
        return self.body if isinstance(self.body, dict) else {}


class HttpClient:
    """Requests to one provider. Safe to share between threads."""

    def __init__(self, base_url: str, *, timeout_s: float, connect_timeout_s: float = 5.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = (connect_timeout_s, timeout_s)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(
            pool_connections=4, pool_maxsize=32, max_retries=Retry(0, redirect=0, read=False)
        )
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def request(
        self,
        method: Method,
        path: str,
        *,
        json_body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Answer:
        """One request, whatever its status: what a status means is the adapter's knowledge.

        `json_body` may hold Decimals; they are written as JSON numbers. `form` is sent form-encoded instead. Raises NotSent (nothing was sent),
        OutcomeUnknown (it may have been).
        """
        sent = {"Accept": "application/json", **(headers or {})}
        data: bytes | Mapping[str, str] | None = form
        if json_body is not None:
            data = dumps(json_body)
            sent["Content-Type"] = "application/json"
        connect_s, read_s = (deadline.remaining(seconds) for seconds in self._timeout)
        began = time.monotonic()
        try:
            with self._session.request(
                method,
                f"{self._base_url}{path}",
                data=data,
                params=query,
                headers=sent,
                auth=basic,
                timeout=(connect_s, read_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = read_body(response, until=began + connect_s + read_s)
        except (requests.RequestException, HTTPError) as error:
            # HTTPError: reading the raw body past requests. The text holds the URL: it is not passed on.
            raise translated(error) from None
        return Answer(
            response.status_code, _parse(content), {k.lower(): v for k, v in response.headers.items()}
        )


def dumps(value: Mapping[str, Any]) -> bytes:
    """JSON with Decimals as plain numbers."""
    return json.dumps(value, default=_number, separators=(",", ":")).encode()


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        # repr of a double this short is the same decimal again: amounts have at most 16 significant digits.
        return json_numbers.plain(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def read_body(response: requests.Response, *, until: float) -> bytes:
    """The body of an answer that was asked for with `stream=True`. Raises OutcomeUnknown; urllib3's HTTPError.

    The socket's time-out is for each piece that arrives; `until` (monotonic, seconds) is for all of them. So what has
    arrived is taken at once (`read1`): waiting for a full block would let every byte have a time-out of its own.
    """
    content = bytearray()
    while piece := response.raw.read1(65_536, decode_content=True):
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            raise OutcomeUnknown("The provider's answer is too large to be read.")
        if time.monotonic() > until:
            raise OutcomeUnknown("The provider's answer took too long.")
    return bytes(content)


def _parse(content: bytes) -> Any:
    try:
        return json_numbers.loads(content)
    except ValueError:
        return None


def translated(error: requests.RequestException | HTTPError) -> NotSent | OutcomeUnknown:
    """Only a connection that was never made, or reached another host, is a definite "nothing was sent"."""
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    is_unmade = (
        isinstance(error, requests.exceptions.ConnectTimeout)
        or isinstance(cause, (NewConnectionError, NameResolutionError, ConnectTimeoutError))
        or _is_impostor(cause)
    )
    if is_unmade or isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return NotSent()
    return OutcomeUnknown()


def _is_impostor(cause: object) -> bool:
    """A certificate is checked before the first byte of the request."""
    return isinstance(cause, SSLError) and any(isinstance(a, SSLCertVerificationError) for a in cause.args)
