"""Bodies of health and of what the Processing API is."""

from __future__ import annotations

from marshmallow import fields as ma

from app.http.answers import Answer, one_of


def _check() -> ma.String:
    return one_of("connected", "disconnected")


class ProcessingChecks(Answer):
    """Postgres, Redis, and the relay that hands out work."""

    database = _check()
    cache = _check()
    queue = _check()


class ProcessingHealth(Answer):
    """`status` is `unhealthy`, and the HTTP status 503, when a check has failed."""

    status = one_of("healthy", "unhealthy")
    service = one_of("payment-api")
    version = ma.String(metadata={"examples": ["2.4.0"]})
    timestamp = ma.String(metadata={"format": "date-time"})
    checks = ma.Nested(ProcessingChecks)


class ProcessingInfo(Answer):
    """What this API is, and where its parts are."""

    name = one_of("Payment Processing API")
    version = ma.String(metadata={"examples": ["2.4.0"]})
    api_version = ma.String(metadata={"examples": ["2024-01-15"]})
    environment = one_of("test")
    documentation_url = ma.String(metadata={"format": "uri"})
    endpoints = ma.Dict(keys=ma.String(), values=ma.String())
    supported_currencies = ma.List(ma.String())
    supported_payment_methods = ma.List(ma.String())
