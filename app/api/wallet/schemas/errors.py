"""The error body of the Wallet API and of the gateway's own routes, and its codes."""

from __future__ import annotations

from typing import Final

from marshmallow import fields as ma

from app import errors
from app.http.answers import Answer, one_of
from app.http.errors import InternalError, MethodNotAllowed

ERRORS: Final = (
    errors.InvalidRequest,
    errors.CardDataNotAllowed,
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
"""Every code of this surface's errors; a test compares them with those of its routes."""

CODES: Final = tuple(error.code for error in ERRORS)


class ErrorContent(Answer):
    """What went wrong."""

    optional = frozenset({"field", "details"})

    code = one_of(*CODES, description="For programs.")
    message = ma.String(metadata={"description": "One sentence for a human reader."})
    field = ma.String(metadata={"description": "The offending input field."})
    details = ma.Dict(metadata={"description": "For wrong input: `fields`, each with its messages."})


class WalletError(Answer):
    """An error of the Wallet API."""

    status = one_of("error")
    error = ma.Nested(ErrorContent)
