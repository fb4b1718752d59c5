"""Chapa (Ethiopia): hosted checkout in ETB and USD, refunds, transfers to Ethiopian bank accounts and wallets."""

from app.providers.chapa.adapter import Chapa
from app.providers.chapa.callbacks import TransferApproval, read_approval

__all__ = ["Chapa", "TransferApproval", "read_approval"]
