"""Plays the documents' examples against the running demo. One file a document; DOCUMENTS in __main__ is their order."""
