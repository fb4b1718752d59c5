"""Payouts: the sending of an approved withdrawal's money, once."""
