"""The registry: every provider the gateway speaks to, one line each (docs/adding-a-provider.md)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.providers.base import Provider
from app.providers.chapa import Chapa
from app.providers.cpay import CPayProvider
from app.providers.mpesa import MpesaProvider
from app.providers.paystack import Paystack
from app.providers.pesapal import PesapalProvider
from app.providers.stripe import StripeProvider

_ALL: Final[tuple[type[Provider], ...]] = (
    MpesaProvider,
    StripeProvider,
    Chapa,
    Paystack,
    PesapalProvider,
    CPayProvider,
)

PROVIDERS: Final[Mapping[str, type[Provider]]] = MappingProxyType({cls.name: cls for cls in _ALL})
"""name → adapter."""

MOCK: Final = CPayProvider.name
"""The provider that moves no real money: it makes the Processing API's payments (document 003)."""

BOOKINGS: Final = Chapa.name
"""The provider that travellers pay their bookings through (document 004)."""

NAMES: Final[Mapping[str, type[Provider]]] = MappingProxyType(
    {word: cls for cls in _ALL for word in (cls.name, *cls.aliases)}
)
"""Every word that a payment or a callback URL may name a provider by → adapter."""
