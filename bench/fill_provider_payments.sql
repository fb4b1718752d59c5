-- %(count)s completed payments through CPay, with what a payment leaves behind, but for its events: key, attempt, entry, postings.
WITH tenant AS (SELECT id FROM tenants ORDER BY id LIMIT 1),
account AS (
  SELECT (SELECT id FROM accounts WHERE public_id = 'clearing:cpay:USD') AS clearing,
    (SELECT id FROM accounts WHERE public_id = 'tenant:' || (SELECT id FROM tenant) || ':USD') AS wallet),
made AS (
  SELECT gen_random_uuid() AS id, gen_random_uuid() AS attempt, gen_random_uuid() AS entry,
    now() - interval '1 hour' - n * interval '1 second' AS at
  FROM generate_series(1, %(count)s) n),
keys AS (
  INSERT INTO idempotency (scope, fingerprint, resource_id, status, is_refusal, body, created_at)
  SELECT gen_random_uuid(), '\x00', id, 201, false, NULL, at FROM made),
paid AS (
  INSERT INTO payments (id, tenant_id, idempotency_key, provider, payment_method, amount, currency, requested_amount,
    requested_currency, status, customer_phone, customer_email, customer_name, provider_transaction_id, fee, refund_reserved,
    refunded, api, created_at, updated_at, completed_at)
  SELECT id, (SELECT id FROM tenant), id::text, 'cpay', 'cpay', 10000, 'USD', 10000, 'USD', 'completed', '+254700000000',
    'customer@example.com', 'John Doe', 'cpay-' || attempt, 0, 0, 0, 'gateway', at, at, at
  FROM made),
tried AS (
  INSERT INTO payment_attempts (id, payment_id, number, provider, environment, reference, short_reference, callback_token,
    state, provider_reference, collected, collected_currency, inquiries, sendings, sent_at, created_at, updated_at)
  SELECT attempt, id, 1, 'cpay', 'sandbox', 'pay-' || attempt, left(attempt::text, 12), 'filled-' || attempt, 'succeeded',
    'cpay-' || attempt, 10000, 'USD', 0, 1, at, at, at
  FROM made),
posted AS (
  INSERT INTO entries (id, tenant_id, kind, ref_id, currency, at)
  SELECT entry, (SELECT id FROM tenant), 'payment', attempt, 'USD', at FROM made),
postings AS (
  INSERT INTO postings (entry_id, account_id, amount)
  SELECT made.entry, one.account, one.amount
  FROM made, account, LATERAL (VALUES (clearing, -10000), (wallet, 10000)) one (account, amount))
UPDATE accounts SET balance = balance + CASE accounts.id WHEN account.wallet THEN 1 ELSE -1 END * 10000 * %(count)s
FROM account WHERE accounts.id IN (account.wallet, account.clearing);
