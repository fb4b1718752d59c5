"""Bodies, queries and answers of the Booking API."""
