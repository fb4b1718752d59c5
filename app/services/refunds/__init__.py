"""Refunds of provider payments."""
