-- Sets p_amount of a floored account aside under p_ref. Returns held | duplicate | insufficient | frozen | unknown.
CREATE OR REPLACE FUNCTION hold_open(p_now timestamptz, p_ref uuid, p_account bigint, p_amount bigint)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_available bigint;
BEGIN
  v_available := debit_lock(p_account, p_amount);
  -- Checked under the lock: a caller that waited for the same hold must not get "insufficient".
  IF EXISTS (SELECT FROM holds WHERE ref_id = p_ref) THEN RETURN 'duplicate'; END IF;
  IF v_available IS NULL THEN RETURN 'unknown'; END IF;
  IF v_available = -1 THEN RETURN 'frozen'; END IF;
  IF v_available < p_amount THEN RETURN 'insufficient'; END IF;
  INSERT INTO holds (ref_id, account_id, amount, state, opened_at) VALUES (p_ref, p_account, p_amount, 'open', p_now)
  ON CONFLICT (ref_id) DO NOTHING;
  IF NOT FOUND THEN RETURN 'duplicate'; END IF;
  UPDATE accounts SET held = held + p_amount WHERE id = p_account;
  RETURN 'held';
END $$;
