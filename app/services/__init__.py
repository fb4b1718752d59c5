"""The use cases. Each is one function: it decides, books and records in one transaction."""
