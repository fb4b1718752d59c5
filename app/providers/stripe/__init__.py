"""Stripe: cards, by its own payment page or confirmed by the merchant's (docs/providers/stripe.md)."""

from app.providers.stripe.adapter import StripeProvider

__all__ = ["StripeProvider"]
