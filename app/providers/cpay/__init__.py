"""CPay: the mock provider, part of the gateway itself (docs/providers/cpay.md)."""

from app.providers.cpay.adapter import CPayProvider

__all__ = ["CPayProvider"]
