-- Frees an open hold. Returns released | closed (captured or released before, or never opened).
-- Account before hold: the ledger's lock order.
CREATE OR REPLACE FUNCTION hold_release(p_now timestamptz, p_ref uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_hold holds;
BEGIN
  PERFORM 1 FROM accounts WHERE id = (SELECT account_id FROM holds WHERE ref_id = p_ref) FOR NO KEY UPDATE;
  UPDATE holds SET state = 'released', closed_at = p_now WHERE ref_id = p_ref AND state = 'open' RETURNING * INTO v_hold;
  IF NOT FOUND THEN RETURN 'closed'; END IF;
  UPDATE accounts SET held = held - v_hold.amount WHERE id = v_hold.account_id;
  RETURN 'released';
END $$;
