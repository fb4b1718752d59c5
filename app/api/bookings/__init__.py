"""The Booking API: travellers' browsers. It has no routes yet, but its paths are its own."""
