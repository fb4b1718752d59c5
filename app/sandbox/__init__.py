"""Simulators of M-Pesa, Stripe, Chapa, Paystack and Pesapal, served by a process of their own.

Each simulator speaks its provider's own HTTP. The simulators share no code with the adapters, so a wrong field name
cannot pass on both sides. No real money moves and no real provider is called: they run in demo and test mode only.

Every simulator is a package of the same shape:

- `__init__.py`: `make_blueprint(sandbox)`;
- `simulator.py`: the parts of the simulator, made once;
- `calls.py`: the table of API calls, and the provider's conventions around them (see `app.sandbox.calls`);
- `auth.py`, `errors.py`, `replies.py`: credentials, refusals, and the values in answers;
- `payments.py`, `refunds.py`, `payouts.py` or `transfers.py`, `callbacks.py`: what the provider does;
- `pages.py`: the table of pages for customers and merchants.
"""
