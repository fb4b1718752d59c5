-- Marks pending wallet payments completed; the relay calls it in the transaction that publishes them.
-- Returns how many were pending.
CREATE OR REPLACE FUNCTION wallet_payments_complete(p_now timestamptz, p_payments uuid[])
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_count integer;
BEGIN
  UPDATE wallet_payments SET status = 'completed', completed_at = p_now
  WHERE id = ANY (p_payments) AND status = 'pending';
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;
