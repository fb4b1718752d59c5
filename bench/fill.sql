-- %(count)s old payments between the existing wallets, in their final state: published, completed and folded.
-- Balances include them, so `flask ledger check` passes. Only the log's HMACs are placeholders, since chaining a
-- million rows is not part of the measurement. Run as the tables' owner.
WITH made AS MATERIALIZED (
  SELECT n, uuidv7() AS payment, uuidv7() AS entry, w.ids[1 + floor(random() * w.count)::int] AS source,
    w.ids[1 + floor(random() * w.count)::int] AS target, %(now)s::timestamptz - n * interval '1 second' AS at
  FROM generate_series(1, %(count)s) n,
    (SELECT array_agg(id) AS ids, count(*)::int AS count FROM accounts WHERE kind = 'wallet') w),
payment AS MATERIALIZED (
  SELECT m.*, s.public_id AS source_wallet, s.owner_id AS sender, t.public_id AS target_wallet, t.owner_id AS recipient
  FROM made m JOIN accounts s ON s.id = m.source JOIN accounts t ON t.id = m.target WHERE m.source <> m.target),
entry AS (
  INSERT INTO entries (id, kind, ref_id, currency, at)
  SELECT entry, 'wallet_payment', payment, 'USD', at FROM payment ORDER BY n),
posting AS (
  INSERT INTO postings (entry_id, account_id, amount)
  SELECT entry, source, -1 FROM payment UNION ALL SELECT entry, target, 1 FROM payment),
idempotent AS (
  INSERT INTO idempotency (scope, fingerprint, resource_id, status, body, created_at)
  SELECT gen_random_uuid(), sha256(payment::text::bytea), payment, 201,
    jsonb_build_object('at', at, 'payments', jsonb_build_array(payment), 'refusals', NULL)::text, at FROM payment),
event AS (
  INSERT INTO events (seq, type, object_id, actor, address, is_public, data, at, hmac)
  SELECT %(seq)s + row_number() OVER (ORDER BY n, step), 'wallet_payment.' || status,
    'pmt_' || replace(payment::text, '-', ''), 'usr_' || replace(sender::text, '-', ''), '127.0.0.1', true,
    jsonb_build_object('amount_minor', 1, 'currency', 'USD', 'status', status, 'sender',
      'usr_' || replace(sender::text, '-', ''), 'recipient', 'usr_' || replace(recipient::text, '-', ''),
      'transaction_id', 'txn_' || replace(entry::text, '-', ''), 'source_wallet_id', source_wallet,
      'destination_wallet_id', target_wallet, 'destination', target_wallet, 'description', 'Lunch'),
    at, sha256(payment::text::bytea)
  FROM payment, (VALUES (1, 'pending'), (2, 'completed')) AS step (step, status)),
folded AS (
  UPDATE accounts a SET balance = balance + moved.amount
  FROM (SELECT account, sum(amount) AS amount FROM (
    SELECT source AS account, -1 AS amount FROM payment UNION ALL SELECT target, 1 FROM payment) each
    GROUP BY account) moved
  WHERE a.id = moved.account)
INSERT INTO wallet_payments (id, sender_id, recipient_id, source_id, destination_id, source, destination, entry_id,
                             amount, currency, description, status, created_at, completed_at)
SELECT payment, sender, recipient, source, target, source_wallet, target_wallet, entry, 1, 'USD', 'Lunch', 'completed',
  at, at FROM payment ORDER BY n
