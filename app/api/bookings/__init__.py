"""The Booking API (document 004): travellers' browsers book, pay and verify; booking sites keep their listings."""
