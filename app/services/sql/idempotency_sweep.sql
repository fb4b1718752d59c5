-- Deletes the stored answers of keys that were claimed before p_before, and whole rows of requests that sent no key.
-- The key's own row stays: a key that was used can never be claimed again. At most p_limit rows of each kind.
-- Returns how many rows were changed or deleted.
CREATE OR REPLACE FUNCTION idempotency_sweep(p_before timestamptz, p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_answers integer;
  v_rows integer;
BEGIN
  UPDATE idempotency SET body = NULL WHERE scope IN (
    SELECT scope FROM idempotency
    WHERE body IS NOT NULL AND created_at < p_before
    ORDER BY created_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_answers = ROW_COUNT;
  DELETE FROM idempotency WHERE scope IN (
    SELECT scope FROM idempotency
    WHERE fingerprint = '' AND created_at < p_before
    ORDER BY created_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_answers + v_rows;
END $$;
