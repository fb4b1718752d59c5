-- %(count)s completed payments of a tenant, a minute apart, oldest first, with what they leave behind, but for events and keys; and
-- %(withdrawals)s completed withdrawals, which the ledger does not have. Accounts: %(wallet)s, %(clearing)s, %(fees)s.
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
  SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS attempt, gen_random_uuid() AS entry,
    now() - interval '2 hours' - (%(count)s - n) * interval '1 minute' AS at
  FROM generate_series(1, %(count)s) n;
INSERT INTO payments (id, tenant_id, idempotency_key, provider, payment_method, amount, currency, requested_amount,
  requested_currency, status, provider_transaction_id, fee, refund_reserved, refunded, api, created_at, updated_at, completed_at)
SELECT id, %(tenant)s, id::text, 'cpay', 'cpay', 10000, 'KES', 10000, 'KES', 'completed', 'cpay-' || attempt, 350, 0, 0, 'gateway', at, at, at
FROM made ORDER BY n;
INSERT INTO payment_attempts (id, payment_id, number, provider, environment, reference, short_reference, callback_token, state,
  provider_reference, collected, collected_currency, inquiries, sendings, sent_at, created_at, updated_at)
SELECT attempt, id, 1, 'cpay', 'sandbox', 'pay-' || attempt, left(attempt::text, 12), 'filled-' || attempt, 'succeeded',
  'cpay-' || attempt, 10000, 'KES', 0, 1, at, at, at
FROM made ORDER BY n;
INSERT INTO entries (id, tenant_id, kind, ref_id, currency, at)
SELECT entry, %(tenant)s, 'payment', attempt, 'KES', at FROM made ORDER BY n;
INSERT INTO postings (entry_id, account_id, amount)
SELECT made.entry, one.account, one.amount
FROM made, LATERAL (VALUES (%(clearing)s, -10000), (%(wallet)s, 9650), (%(fees)s, 350)) one (account, amount) ORDER BY n;
UPDATE accounts SET balance = balance + one.amount::bigint * %(count)s
FROM (VALUES (%(clearing)s, -10000), (%(wallet)s, 9650), (%(fees)s, 350)) one (account, amount) WHERE accounts.id = one.account;
INSERT INTO withdrawals (id, tenant_id, amount, fee, currency, method, destination, destination_id, digest, required_approvals,
  status, initiated_by, created_at, updated_at)
SELECT gen_random_uuid(), %(tenant)s, 100000, 3300, 'KES', 'mpesa', '{"phone_number": "254712345678"}', gen_random_uuid(), 'filled', 1,
  'completed', gen_random_uuid(), now() - n * interval '1 minute', now()
FROM generate_series(1, %(withdrawals)s) n;
