"""The error body of the Wallet API and of the routes that belong to no document, and its codes."""

from __future__ import annotations

from typing import Final

from marshmallow import fields as ma

from app import errors
from app.http.answers import Answer, words
from app.http.errors import InternalError, MethodNotAllowed

ERRORS: Final = (
    errors.InvalidRequest,
    errors.InvalidAmount,
    errors.UnsupportedCurrency,
    errors.CurrencyMismatch,
    errors.WeakPassword,
    errors.InsufficientBalance,
    errors.DailyLimitExceeded,
    errors.TokenMissing,
    errors.TokenInvalid,
    errors.TokenExpired,
    errors.InvalidCredentials,
    errors.PermissionDenied,
    errors.KycRequired,
    errors.NotFound,
    errors.AccountNotFound,
    errors.RecipientNotFound,
    errors.PaymentNotFound,
    MethodNotAllowed,
    errors.EmailExists,
    errors.IdempotencyConflict,
    errors.IdempotencyKeyReused,
    errors.RateLimitExceeded,
    InternalError,
    errors.ServiceUnavailable,
)
"""Everything that a request to this surface can end in; a test compares it with what the routes say."""

CODES: Final = tuple(error.code for error in ERRORS)


class ErrorContent(Answer):
    """What went wrong."""

    optional = frozenset({"field", "details"})

    code = words(*CODES, description="For programs.")
    message = ma.String(metadata={"description": "One sentence for a person."})
    field = ma.String(metadata={"description": "The offending input field."})
    details = ma.Dict(metadata={"description": "For wrong input: `fields`, each with its messages."})


class WalletError(Answer):
    """An error of the Wallet API."""

    status = words("error")
    error = ma.Nested(ErrorContent)
