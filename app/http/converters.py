"""Kinds of ids in paths, so that the id decides between two routes with the same path."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class PaymentIdConverter(BaseConverter):
    """`<pmt:payment_id>`: anything that starts with `pmt_`; the service decides whether it exists."""

    regex = r"pmt_[^/]*"


class ProviderNameConverter(BaseConverter):
    """`<provider:provider>` in a callback's path; not `events` or `statistics`, which are operators' routes beside it."""

    regex = r"(?!events(?:/|$)|statistics(?:/|$))[a-z][a-z0-9_]{0,31}"


class CallbackTokenConverter(BaseConverter):
    """`<token:token>`: the secret end of a callback's path; anything else is 404 before a database is asked."""

    regex = r"[A-Za-z0-9_-]{1,128}"


CONVERTERS = {"pmt": PaymentIdConverter, "provider": ProviderNameConverter, "token": CallbackTokenConverter}
