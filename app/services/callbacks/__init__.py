"""Callbacks from providers: received, stored, processed."""
