"""Paystack: hosted checkout in NGN, GHS, ZAR, KES, USD and XOF, refunds, transfers to banks and mobile money."""

from app.providers.paystack.adapter import Paystack

__all__ = ["Paystack"]
