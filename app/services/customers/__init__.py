"""Customers of tenants, and how they like to pay."""
