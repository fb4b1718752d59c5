"""Kinds of ids in paths, so that one path can serve two contracts (CONTRACT, Collisions)."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class PaymentIdConverter(BaseConverter):
    """`<pmt:payment_id>`: anything that starts with `pmt_`; whether it exists is the service's word."""

    regex = r"pmt_[^/]*"


CONVERTERS = {"pmt": PaymentIdConverter}
