"""Webhooks to merchants: endpoints, what is to be sent to them, and sending it."""
