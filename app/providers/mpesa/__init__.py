"""M-Pesa by Safaricom's Daraja API: STK push, reversal, payouts to phones and tills, the pull statement."""

from app.providers.mpesa.adapter import MpesaProvider

__all__ = ["MpesaProvider"]
