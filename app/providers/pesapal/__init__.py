"""Pesapal v3: a payment page with cards and mobile money in East Africa (docs/providers/pesapal.md)."""

from app.providers.pesapal.adapter import PesapalProvider

__all__ = ["PesapalProvider"]
