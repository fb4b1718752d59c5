-- One entry: p_amounts[i] on p_accounts[i] (ascending, no account twice), summing to zero, all in p_currency.
-- Debits of floored accounts lock and lower the row; everything else only appends and waits to be folded.
-- With p_hold the one floored debit captures that open hold (its account, at least its amount; the rest is freed).
-- Returns posted | duplicate (p_ref, p_kind posted before) | insufficient | frozen | hold_closed; only posted changed
-- anything. Raises LG001 unbalanced or unordered, LG002 account unknown or of another currency.
CREATE OR REPLACE FUNCTION ledger_post(
  p_now timestamptz, p_entry uuid, p_tenant uuid, p_kind text, p_ref uuid, p_currency text,
  p_accounts bigint[], p_amounts bigint[], p_hold uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_sum bigint := 0;
  v_floored boolean[];
  v_available bigint;
  v_hold holds;
  v_is_debit boolean := false;
BEGIN
  FOR i IN 1 .. cardinality(p_accounts) LOOP
    v_sum := v_sum + p_amounts[i];
    IF p_amounts[i] = 0 OR (i > 1 AND p_accounts[i] <= p_accounts[i - 1]) THEN
      RAISE EXCEPTION 'postings must be non-zero and ascend by account' USING ERRCODE = 'LG001';
    END IF;
  END LOOP;
  IF v_sum <> 0 OR cardinality(p_accounts) < 2 OR cardinality(p_accounts) <> cardinality(p_amounts) THEN
    RAISE EXCEPTION 'postings do not sum to zero' USING ERRCODE = 'LG001';
  END IF;
  SELECT array_agg(a.floored ORDER BY a.id) INTO v_floored
  FROM accounts a WHERE a.id = ANY (p_accounts) AND a.currency = p_currency;
  IF v_floored IS NULL OR cardinality(v_floored) <> cardinality(p_accounts) THEN
    RAISE EXCEPTION 'an account is unknown or not in %', p_currency USING ERRCODE = 'LG002';
  END IF;

  FOR i IN 1 .. cardinality(p_accounts) LOOP
    CONTINUE WHEN p_amounts[i] > 0 OR NOT v_floored[i];
    v_is_debit := true;
    -- Looked up before and after the lock: a caller that waited for the same posting must not get "insufficient".
    IF EXISTS (SELECT FROM entries WHERE ref_id = p_ref AND kind = p_kind) THEN RETURN 'duplicate'; END IF;
    v_available := debit_lock(p_accounts[i], CASE WHEN p_hold IS NULL THEN -p_amounts[i] ELSE 0 END);
    IF EXISTS (SELECT FROM entries WHERE ref_id = p_ref AND kind = p_kind) THEN RETURN 'duplicate'; END IF;
    IF p_hold IS NOT NULL THEN
      SELECT * INTO v_hold FROM holds WHERE ref_id = p_hold AND account_id = p_accounts[i] FOR NO KEY UPDATE;
      IF v_hold.state IS DISTINCT FROM 'open' THEN RETURN 'hold_closed'; END IF;
      IF v_hold.amount < -p_amounts[i] THEN RETURN 'insufficient'; END IF;
    ELSIF v_available = -1 THEN RETURN 'frozen';
    ELSIF v_available < -p_amounts[i] THEN RETURN 'insufficient';
    END IF;
  END LOOP;
  IF p_hold IS NOT NULL AND v_hold.ref_id IS NULL THEN RETURN 'hold_closed'; END IF;

  INSERT INTO entries (id, tenant_id, kind, ref_id, currency, at)
  VALUES (p_entry, p_tenant, p_kind, p_ref, p_currency, p_now) ON CONFLICT (ref_id, kind) DO NOTHING;
  IF NOT FOUND THEN RETURN 'duplicate'; END IF;
  IF p_hold IS NOT NULL THEN
    UPDATE holds SET state = 'captured', closed_at = p_now WHERE ref_id = p_hold;
    UPDATE accounts SET held = held - v_hold.amount WHERE id = v_hold.account_id;
  END IF;
  IF v_is_debit THEN
    FOR i IN 1 .. cardinality(p_accounts) LOOP
      CONTINUE WHEN p_amounts[i] > 0 OR NOT v_floored[i];
      UPDATE accounts SET balance = balance + p_amounts[i] WHERE id = p_accounts[i];
    END LOOP;
  END IF;
  WITH posting AS (
    INSERT INTO postings (entry_id, account_id, amount)
    SELECT p_entry, one.account, one.amount FROM unnest(p_accounts, p_amounts) one (account, amount)
    RETURNING id, account_id, amount)
  INSERT INTO unfolded (account_id, posting_id, amount) SELECT p.account_id, p.id, p.amount FROM posting p
  WHERE p.amount > 0 OR NOT v_floored[array_position(p_accounts, p.account_id)];
  RETURN 'posted';
END $$;
