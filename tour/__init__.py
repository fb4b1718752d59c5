"""Runs the documents' examples against the running demo. One module per document; DOCUMENTS in __main__ is their
order."""
