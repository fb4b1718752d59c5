"""Daraja's codes and words as data. Sources: the Daraja 3.0 portal unless another is named.

A code may be a number or a text, also alphanumeric: all are compared as texts (`values.code_of`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from app.providers.base import State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)

LOCK_WAIT_S: Final = 60
"""How long a customer's phone is locked by an open push, at least."""


@dataclass(frozen=True, slots=True)
class ResultCode:
    """state: what a *finished* operation with this code came to; None: the code does not show whether money moved.
    retry_after_s: when another attempt makes sense."""

    state: State | None
    meaning: str
    retry_after_s: int | None = None


_FAILED: Final = State.FAILED

RESULT_CODES: Final[Mapping[str, ResultCode]] = MappingProxyType({
    "0": ResultCode(State.SUCCEEDED, "success"),
    "1": ResultCode(_FAILED, "insufficient funds"),
    "2": ResultCode(_FAILED, "below the minimum of a transaction"),
    "3": ResultCode(_FAILED, "above the maximum of a transaction"),
    "4": ResultCode(_FAILED, "daily limit", 86_400),
    "8": ResultCode(_FAILED, "the receiver would exceed the largest balance"),
    "11": ResultCode(_FAILED, "the debit party is in an invalid state"),
    "15": ResultCode(None, "duplicate OriginatorConversationID: an earlier request arrived"),
    "17": ResultCode(_FAILED, "same amount and party within two minutes", 120),
    "18": ResultCode(_FAILED, "initiator credential"),
    "20": ResultCode(_FAILED, "unknown initiator"),
    "21": ResultCode(_FAILED, "the initiator lacks the role"),
    "24": ResultCode(_FAILED, "missing field"),
    "25": ResultCode(_FAILED, "bad parameter"),
    "26": ResultCode(_FAILED, "system busy", 60),
    "29": ResultCode(_FAILED, "bad CommandID"),
    "1001": ResultCode(_FAILED, "the subscriber is locked by another session", LOCK_WAIT_S),
    "1019": ResultCode(_FAILED, "expired before processing"),
    "1025": ResultCode(_FAILED, "the push could not be sent"),
    "1032": ResultCode(State.CANCELLED, "cancelled by the customer"),
    "1036": ResultCode(_FAILED, "no acknowledgement of the SMS centre (recorded by clients)"),
    "1037": ResultCode(_FAILED, "phone unreachable, or no PIN in time"),
    "2001": ResultCode(_FAILED, "wrong PIN, or wrong initiator credentials"),
    "2006": ResultCode(_FAILED, "the account's status forbids it"),
    "2028": ResultCode(_FAILED, "the shortcode lacks the product"),
    "2040": ResultCode(_FAILED, "the recipient is not a registered customer"),
    "4001": ResultCode(_FAILED, "cancelled on the phone"),
    "4999": ResultCode(State.PENDING, "still being processed (seen by clients)"),
    "8006": ResultCode(_FAILED, "the initiator's credential is locked"),
    "9999": ResultCode(_FAILED, "the push could not be sent (seen by clients)"),
    "E3008": ResultCode(_FAILED, "the customer has a bad debt contract (recorded by clients)"),
    "SFC_IC0003": ResultCode(_FAILED, "the operator or number does not exist"),
    "R000001": ResultCode(None, "already reversed: by whom must be looked up"),
    "R000002": ResultCode(_FAILED, "reversal of an unknown transaction"),
})  # fmt: skip

UNCLEAR_WHEN_ASKED: Final = frozenset({"26"})
"""In the answer to a query these may be about the query, not about the payment."""

PROCESSING_WORDS: Final = ("being processed", "processing")
"""A query's answer with one of these, in any case, means: the customer has not acted yet."""

STILL_OPEN_CODES: Final = frozenset({"500.001.1001", "500.002.1001"})
"""The errorCodes of a push query that come with these words while the customer has not acted; the second by clients
alone. Under any other code the words may be about the question ("error processing the request")."""


def is_processing(text: str) -> bool:
    """Whether a description says that the payment is still open."""
    return any(word in text.lower() for word in PROCESSING_WORDS)


def is_still_open(error_code: str, message: str) -> bool:
    """Whether a refused push query only says that the customer has not acted yet."""
    return error_code in STILL_OPEN_CODES and is_processing(message)


def state_when_reported(code: str, *, unknown: State) -> State:
    """Of an operation that a result message (callback) says to be finished. unknown: of a code that is in no table.

    A code that does not show whether money moved is PENDING, for an inquiry or an operator.
    """
    known = RESULT_CODES.get(code)
    if known is None:
        return unknown
    return known.state or State.PENDING


def state_when_asked(code: str, description: str) -> State | None:
    """Of a payment by the answer to a query. None: no clear statement."""
    known = RESULT_CODES.get(code)
    if known is None:
        return State.PENDING if is_processing(description) else None
    return None if code in UNCLEAR_WHEN_ASKED else known.state


TRANSACTION_STATUSES: Final[Mapping[str, State]] = MappingProxyType({
    # `TransactionStatus` of a status result, in lower case. The portal's questions and answers name the final ones
    # (Completed, Cancelled, Declined, Expired) and those on the way (Initiated, Authorized, Pending Authorized); the rest
    # are plain words that no document has. A word that is not here leaves the operation PENDING.
    "completed": State.SUCCEEDED,
    "cancelled": State.FAILED,
    "declined": State.FAILED,
    "expired": State.FAILED,
    "initiated": State.PENDING,
    "authorized": State.PENDING,
    "pending authorized": State.PENDING,
    "reversed": State.REVERSED,
    "failed": State.FAILED,
    "pending": State.PENDING,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ApiError:
    """An `errorCode`. needle: the errorMessage must hold it, in any case; of one code the first that fits counts."""

    code: str
    error: type[ProviderError]
    needle: str = ""
    retry_after_s: int | None = None


TOKEN_REJECTED: Final = frozenset({"400.003.01", "401.001", "401.002.01", "401.003.01", "404.001.03"})
"""An invalid or expired access token, whatever the HTTP status (404.001.03 comes with 404). 401.003.01: by clients."""

NO_PRODUCT: Final = "no apiproduct match"
"""In the message of a rejected token: the token is good, but the Daraja app lacks the product of this path."""

LIMITS: Final[Mapping[str, int]] = MappingProxyType({
    "policies.ratelimit.SpikeArrestViolation": 5,
    "policies.ratelimit.QuotaViolation": 60,
})  # fmt: skip
"""Error codes of the gateway in front of Daraja, which turns requests away unread, under several HTTP statuses → seconds
to wait. Seen by clients, above all of the push query."""

LOCKED: Final = ApiError("500.001.1001", Declined, "unable to lock subscriber", LOCK_WAIT_S)

API_ERRORS: Final = (
    ApiError("400.002.02", RequestRejected),
    ApiError("400.002.05", RequestRejected),
    ApiError("400.003.02", RequestRejected),
    ApiError("404.001.01", RequestRejected),
    ApiError("404.002.01", RequestRejected),
    ApiError("404.003.01", RequestRejected),
    ApiError("404.001.04", RequestRejected),
    ApiError("405.001", RequestRejected),
    LOCKED,
    ApiError("500.001.1001", RequestRejected, "merchant does not exist"),
    ApiError("500.001.1001", AuthFailed, "wrong credentials"),
    ApiError("500.001.1001", OutcomeUnknown),
    ApiError("500.002.1001", DuplicateReference, "duplicate"),
    # Clients saw it with other words, too ("Service is currently under maintenance").
    ApiError("500.002.1001", OutcomeUnknown),
    ApiError("500.003.02", RateLimited, retry_after_s=5),
    ApiError("500.003.03", RateLimited, retry_after_s=60),
    ApiError("500.003.1001", OutcomeUnknown),
)


def api_error(http_status: int, code: str, message: str) -> ApiError:
    """What an answer that is no success says. A code begins with the HTTP status it is documented for: with another
    one somebody else is speaking (a proxy's 503), and nothing is known. Unknown codes: an explicit 4xx in Daraja's own
    body refuses; 429 asks to slow down."""
    if http_status == 429 or code in LIMITS:
        return ApiError(code, RateLimited, retry_after_s=LIMITS.get(code, 60))
    if not code.startswith(f"{http_status}."):
        return ApiError(code, OutcomeUnknown)
    for known in API_ERRORS:
        if known.code == code and known.needle in message.lower():
            return known
    return ApiError(code, RequestRejected if 400 <= http_status < 500 else OutcomeUnknown)
