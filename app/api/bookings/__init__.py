"""The Booking API: travellers' browsers (document 004)."""
