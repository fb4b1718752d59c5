-- Performs a write set (app/services/write_sets/write_set.py), all of it or nothing: what was decided by rows, if they are still
-- those rows. Nothing here judges. The row of the payment or withdrawal is the version of all that belongs to it: every write set
-- updates it.
--
-- p_reference: the version of the reference data that was decided by; NULL: by none.
-- p_writes, each part optional:
--   claim     {scope, fingerprint, resource_id, leased_until}: a key to claim
--   answer    {scope, status, body, is_refusal, resource_id}: a key's answer, where it has none yet
--   payment   {version, row}; attempts, refunds, disputes, reviews [{version, row}]: `version` is the row's xmin as it was read (a
--             review has none). Without it the row is new, and whole; else it has its id and the columns that may change
--   withdrawal, approvals, payouts, withdrawal_reviews, destinations: see withdrawal_write
--   jobs      [{action, kind, ref, run_at, id}]; action: add | run_by (no later than run_at) | end (nothing is left to do)
--   releases  [ref]; holds [{ref, account, amount}]; entries [{id, tenant, kind, ref, currency, accounts, amounts, hold}]
--   events    [outbox row], in order
--   callback  {id, repeats, state, result, payment_id, job, fence}: the callback that was processed (callback_close)
-- version: the xmin of every row that was written. known: the row of a key that was claimed before; nothing was written.
-- Locks, in the order of docs/ledger.md: key, order, payment, attempts, refunds, disputes, withdrawal, payouts, jobs, accounts and
-- holds, outbox, callback and its job.
--
-- Raises, and nothing is written: LG010 a row is not the one that was read. LG011 reference data has changed. LG012 the
-- ledger refused; the message is its word. LG013 the order that a new payment is for is cancelled. 23505: a provider's
-- reference is another attempt's, or another payment of the order has not ended.
CREATE OR REPLACE FUNCTION write_set_apply(
  p_now timestamptz, p_reference bigint, p_writes jsonb, OUT version text, OUT known jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v jsonb;
  v_word text;
BEGIN
  IF p_reference <> (SELECT d.version FROM reference_data d) THEN
    RAISE EXCEPTION 'reference data has changed' USING ERRCODE = 'LG011';
  END IF;

  v := p_writes -> 'claim';
  IF v IS NOT NULL THEN
    INSERT INTO idempotency (scope, fingerprint, resource_id, is_refusal, leased_until, created_at)
    VALUES ((v ->> 'scope')::uuid, decode(v ->> 'fingerprint', 'hex'), (v ->> 'resource_id')::uuid, false,
      (v ->> 'leased_until')::timestamptz, p_now)
    ON CONFLICT (scope) DO NOTHING;
    IF NOT FOUND THEN
      SELECT to_jsonb(i) || jsonb_build_object('fingerprint', encode(i.fingerprint, 'hex')) INTO known
      FROM idempotency i WHERE i.scope = (v ->> 'scope')::uuid;
      RETURN;
    END IF;
  END IF;
  v := p_writes -> 'answer';
  IF v IS NOT NULL THEN
    UPDATE idempotency i SET
      status = (v ->> 'status')::smallint, body = v ->> 'body', is_refusal = (v ->> 'is_refusal')::boolean,
      resource_id = (v ->> 'resource_id')::uuid
    WHERE i.scope = (v ->> 'scope')::uuid AND i.status IS NULL;
  END IF;

  v := p_writes -> 'payment';
  IF v ? 'version' THEN
    UPDATE payments p SET
      (provider, amount, currency, status, provider_transaction_id, provider_response, payment_url, failure_code,
       failure_reason, provider_failure, fee, refund_reserved, refunded, updated_at, completed_at, last_write) =
      (SELECT n.provider, n.amount, n.currency, n.status, n.provider_transaction_id, n.provider_response, n.payment_url,
         n.failure_code, n.failure_reason, n.provider_failure, n.fee, n.refund_reserved, n.refunded, n.updated_at,
         n.completed_at, n.last_write
       FROM jsonb_populate_record(p, v -> 'row') n)
    WHERE p.id = (v -> 'row' ->> 'id')::uuid AND p.xmin = (v ->> 'version')::xid;
    IF NOT FOUND THEN RAISE EXCEPTION 'the payment has changed' USING ERRCODE = 'LG010'; END IF;
  ELSIF v IS NOT NULL THEN
    IF v -> 'row' ->> 'order_id' IS NOT NULL THEN
      -- Locked, so that it is not cancelled before this payment is seen.
      PERFORM FROM orders o WHERE o.id = (v -> 'row' ->> 'order_id')::uuid AND o.cancelled_at IS NULL FOR SHARE;
      IF NOT FOUND THEN RAISE EXCEPTION 'the order is cancelled' USING ERRCODE = 'LG013'; END IF;
    END IF;
    INSERT INTO payments SELECT * FROM jsonb_populate_record(NULL::payments, v -> 'row');
  END IF;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'attempts') LOOP
    IF v ? 'version' THEN
      UPDATE payment_attempts a SET
        (state, provider_reference, receipt, collected, collected_currency, error_code, error_message, inquiries, sendings,
         sent_at, updated_at) =
        (SELECT n.state, n.provider_reference, n.receipt, n.collected, n.collected_currency, n.error_code, n.error_message,
           n.inquiries, n.sendings, n.sent_at, n.updated_at
         FROM jsonb_populate_record(a, v -> 'row') n)
      WHERE a.id = (v -> 'row' ->> 'id')::uuid AND a.xmin = (v ->> 'version')::xid;
      IF NOT FOUND THEN RAISE EXCEPTION 'an attempt has changed' USING ERRCODE = 'LG010'; END IF;
    ELSE
      INSERT INTO payment_attempts SELECT * FROM jsonb_populate_record(NULL::payment_attempts, v -> 'row');
    END IF;
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'refunds') LOOP
    IF v ? 'version' THEN
      UPDATE refunds r SET
        (state, provider_reference, error_code, error_message, failure_code, failure_reason, provider_failure, inquiries,
         sent_at, updated_at, completed_at) =
        (SELECT n.state, n.provider_reference, n.error_code, n.error_message, n.failure_code, n.failure_reason,
           n.provider_failure, n.inquiries, n.sent_at, n.updated_at, n.completed_at
         FROM jsonb_populate_record(r, v -> 'row') n)
      WHERE r.id = (v -> 'row' ->> 'id')::uuid AND r.xmin = (v ->> 'version')::xid;
      IF NOT FOUND THEN RAISE EXCEPTION 'a refund has changed' USING ERRCODE = 'LG010'; END IF;
    ELSE
      INSERT INTO refunds SELECT * FROM jsonb_populate_record(NULL::refunds, v -> 'row');
    END IF;
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'disputes') LOOP
    IF v ? 'version' THEN
      UPDATE disputes d SET
        (amount, reason, provider_status, state, held, owed, updated_at, closed_at) =
        (SELECT n.amount, n.reason, n.provider_status, n.state, n.held, n.owed, n.updated_at, n.closed_at
         FROM jsonb_populate_record(d, v -> 'row') n)
      WHERE d.id = (v -> 'row' ->> 'id')::uuid AND d.xmin = (v ->> 'version')::xid;
      IF NOT FOUND THEN RAISE EXCEPTION 'a dispute has changed' USING ERRCODE = 'LG010'; END IF;
    ELSE
      INSERT INTO disputes SELECT * FROM jsonb_populate_record(NULL::disputes, v -> 'row');
    END IF;
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'reviews') LOOP
    IF v ? 'version' THEN
      UPDATE payment_reviews o SET (closed_at, closed_by) =
        (SELECT n.closed_at, n.closed_by FROM jsonb_populate_record(o, v -> 'row') n)
      WHERE o.id = (v -> 'row' ->> 'id')::uuid;
    ELSE
      INSERT INTO payment_reviews SELECT * FROM jsonb_populate_record(NULL::payment_reviews, v -> 'row');
    END IF;
  END LOOP;

  IF p_writes ? 'withdrawal' THEN
    PERFORM withdrawal_write(p_writes);
  END IF;

  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'jobs') LOOP
    CASE v ->> 'action'
    WHEN 'add' THEN
      INSERT INTO jobs (id, kind, ref, run_at, attempts, fence, state, created_at)
      VALUES ((v ->> 'id')::uuid, v ->> 'kind', v ->> 'ref', (v ->> 'run_at')::timestamptz, 0, 0, 'due', p_now)
      ON CONFLICT (kind, ref) DO NOTHING;
    WHEN 'run_by' THEN
      UPDATE jobs j SET run_at = (v ->> 'run_at')::timestamptz
      WHERE j.kind = v ->> 'kind' AND j.ref = v ->> 'ref' AND j.state = 'due' AND j.leased_until IS NULL
        AND j.run_at > (v ->> 'run_at')::timestamptz;
    WHEN 'end' THEN
      -- A leased one is its worker's, who finds that nothing is left to do.
      DELETE FROM jobs j
      WHERE j.kind = v ->> 'kind' AND j.ref = v ->> 'ref' AND j.state = 'due' AND j.leased_until IS NULL;
    END CASE;
  END LOOP;

  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'releases') LOOP
    PERFORM hold_release(p_now, (v #>> '{}')::uuid);
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'holds') LOOP
    v_word := hold_open(p_now, (v ->> 'ref')::uuid, (v ->> 'account')::bigint, (v ->> 'amount')::bigint);
    IF v_word <> 'held' THEN RAISE EXCEPTION '%', v_word USING ERRCODE = 'LG012'; END IF;
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'entries') LOOP
    v_word := ledger_post(
      p_now, (v ->> 'id')::uuid, (v ->> 'tenant')::uuid, v ->> 'kind', (v ->> 'ref')::uuid, v ->> 'currency',
      ARRAY(SELECT jsonb_array_elements_text(v -> 'accounts')::bigint),
      ARRAY(SELECT jsonb_array_elements_text(v -> 'amounts')::bigint), (v ->> 'hold')::uuid);
    IF v_word <> 'posted' THEN RAISE EXCEPTION '%', v_word USING ERRCODE = 'LG012'; END IF;
  END LOOP;
  IF p_writes ? 'events' THEN
    INSERT INTO outbox (tenant_id, type, object_id, actor, address, is_public, data, at)
      SELECT e.tenant_id, e.type, e.object_id, e.actor, e.address, e.is_public, e.data, e.at
      FROM jsonb_populate_recordset(NULL::outbox, p_writes -> 'events') e;
  END IF;
  v := p_writes -> 'callback';
  IF v IS NOT NULL THEN
    PERFORM callback_close(
      p_now, (v ->> 'id')::uuid, (v ->> 'repeats')::integer, v ->> 'state', v ->> 'result', (v ->> 'payment_id')::uuid,
      (v ->> 'job')::uuid, (v ->> 'fence')::integer);
  END IF;
  version := pg_current_xact_id()::xid::text;
END $$;
