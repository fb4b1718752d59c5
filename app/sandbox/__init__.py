"""The simulators: what M-Pesa, Stripe, Chapa, Paystack and Pesapal would answer, in a process of their own.

They speak each provider's own HTTP and share no code with the adapters, so that a wrong field name cannot pass on both
sides. No real money, no real provider: demo and test mode only.
"""
