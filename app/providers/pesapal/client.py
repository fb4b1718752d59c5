"""Pesapal's HTTP: tokens of five minutes, and answers whose HTTP status is 200 whatever they say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from app import clock
from app.providers.base import Account, Context, FreshToken
from app.providers.errors import AuthFailed, NotSent, OutcomeUnknown, RateLimited
from app.providers.facts import retry_after_s
from app.providers.http import Answer, HttpClient, Method

T = TypeVar("T")

TOKEN_LIFE_S: Final = 300
IPN_LIFE_S: Final = 86_400
"""How long a registered address is remembered; registering it again is harmless."""

TOKEN_ERRORS: Final = frozenset({"invalid_api_credentials_provided", "invalid_token", "invalid_access_token"})
"""Codes of a rejected token, whatever the HTTP status. The first is what clients saw, with the error_type
`authentication_error`, under HTTP 500 and with no `status` in the body; the others are for what they did not see."""

UNKNOWN_KEY: Final = "consumer_key_unknown"
"""A login with keys of another merchant or environment; `invalid_…` says the same of a wrong pair."""

LOGIN_PATH: Final = "/api/Auth/RequestToken"
IPN_PATH: Final = "/api/URLSetup/RegisterIPN"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of Pesapal's. status: the body's own, a text; code, message: of its error object, else empty."""

    status: str
    code: str
    message: str
    body: Mapping[str, Any]

    @property
    def is_ok(self) -> bool:
        return self.status == "200" and not self.code

    def facts(self) -> dict[str, Any]:
        """For `response`: the members of a refusal."""
        found = {"status": self.status, "code": self.code, "message": self.message}
        return {name: value for name, value in found.items() if value}


class TokenRejected(Exception):
    """Pesapal does not take this token (any more); nothing was done."""


class PesapalClient:
    """Calls of one account. Safe to share between threads."""

    def __init__(self, account: Account, context: Context) -> None:
        self._account = account
        self._tokens = context.tokens
        # What was got with other keys or elsewhere is another merchant's: it must not serve after a change of settings.
        owner = hashlib.sha256(f"{account.base_url} {account['consumer_key']}".encode()).hexdigest()[:12]
        self._kept_as = f"pesapal:{account.id}:{owner}"
        self._http = HttpClient(
            account.base_url,
            timeout_s=context.timeout_s,
            connect_timeout_s=context.connect_timeout_s,
        )

    def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Raises ProviderError."""
        return self._with_token(lambda token: self._send("GET", path, token, query=query))

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Raises ProviderError; an answer that says no is a Reply."""
        return self._with_token(lambda token: self._send("POST", path, token, body=body))

    def ipn_id(self, url: str, method: str, *, rejected: str | None = None) -> str:
        """The id of the notification address `url`, registered when that has not been done. Raises ProviderError."""
        digest = hashlib.sha256(f"{method} {url}".encode()).hexdigest()[:24]
        key = f"{self._kept_as}:ipn:{digest}"

        # The access token is got first: a token store need not allow to be asked while it is being asked.
        def registered(token: str) -> str:
            return self._tokens.get(key, lambda: self._register(url, method, token), rejected=rejected)

        return self._with_token(registered)

    def _register(self, url: str, method: str, token: str) -> FreshToken:
        try:
            reply = self._send("POST", IPN_PATH, token, body={"url": url, "ipn_notification_type": method})
        except OutcomeUnknown:
            raise NotSent("Pesapal did not take the address of notifications.") from None
        identity = reply.body.get("ipn_id")
        if not reply.is_ok or not isinstance(identity, str) or not identity:
            raise NotSent(
                "Pesapal did not take the address of notifications.",
                code=reply.code or "ipn_not_registered",
                response=reply.facts(),
            )
        return FreshToken(identity, IPN_LIFE_S)

    def _with_token(self, work: Callable[[str], T]) -> T:
        """`work` with the shared token, and once more with a fresh one when Pesapal rejects it."""
        key = f"{self._kept_as}:token"
        token = self._tokens.get(key, self._fetch_token)
        try:
            return work(token)
        except TokenRejected:
            fresh = self._tokens.get(key, self._fetch_token, rejected=token)
        try:
            return work(fresh)
        except TokenRejected:
            raise AuthFailed from None

    def _fetch_token(self) -> FreshToken:
        """Nothing but a login is sent here, so no failure leaves anything unknown."""
        keys = {
            "consumer_key": self._account["consumer_key"],
            "consumer_secret": self._account["consumer_secret"],
        }
        try:
            reply = read(self._http.request("POST", LOGIN_PATH, json_body=keys))
        except OutcomeUnknown:
            raise NotSent("Pesapal did not give an access token.") from None
        except TokenRejected:
            raise AuthFailed from None
        token = reply.body.get("token")
        if reply.code.startswith("invalid") or reply.code == UNKNOWN_KEY:
            raise AuthFailed(code=reply.code, response=reply.facts())
        if not reply.is_ok or not isinstance(token, str) or not token:
            raise NotSent(
                "Pesapal did not give an access token.",
                code=reply.code or None,
                response={"status": reply.status},
            )
        return FreshToken(token, token_life_s(reply.body.get("expiryDate"), clock.now()))

    def _send(
        self,
        method: Method,
        path: str,
        token: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        # Documented as required with every call, also where there is no body.
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return read(self._http.request(method, path, json_body=body, query=query, headers=headers))


def read(answer: Answer) -> Reply:
    """An answer as Pesapal means it: the body's own status, and an error object that may be there with all its members
    null. Raises OutcomeUnknown, RateLimited, TokenRejected."""
    body = answer.object()
    error = body.get("error")
    found = error if isinstance(error, dict) else {}
    answered = _text(found.get("message")) or _text(error)
    kind = _text(found.get("error_type"))
    code = _text(found.get("code")) or kind or ("error" if answered else "")
    message = answered or _text(body.get("message"))
    status = _text(body.get("status"))
    if answer.status == 429 or status == "429":
        raise RateLimited(retry_after_s=retry_after_s(answer.headers))
    if "401" in (str(answer.status), status) or kind == "authentication_error" or code in TOKEN_ERRORS:
        raise TokenRejected
    is_contradiction = status == "200" and not answer.is_ok
    if answer.status >= 500 or not status or is_contradiction:
        raise OutcomeUnknown(code=f"http_{answer.status}", response={"http_status": answer.status})
    return Reply(status, code, message, body)


def token_life_s(expiry: object, now: datetime) -> int:
    """Seconds a token lives, by its `expiryDate`: UTC, with seven decimals of a second. Never more than the five minutes
    that are documented; those, too, when the date cannot be read or our clock and theirs cannot both be right."""
    try:
        ends = datetime.fromisoformat(str(expiry))
    except ValueError:
        return TOKEN_LIFE_S
    left = (ends if ends.tzinfo else ends.replace(tzinfo=UTC)) - now
    return (
        int(left.total_seconds()) if timedelta(0) < left < timedelta(seconds=TOKEN_LIFE_S) else TOKEN_LIFE_S
    )


def _text(value: object) -> str:
    """A text or whole number as text; empty for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""
