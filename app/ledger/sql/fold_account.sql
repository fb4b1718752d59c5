-- Moves up to p_limit waiting amounts of one account into its balance. Returns how many.
-- The row is locked first and the queue read in the next statement, so nothing is added twice or read halfway.
CREATE OR REPLACE FUNCTION fold_account(p_account bigint, p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_sum bigint;
  v_count integer;
BEGIN
  PERFORM 1 FROM accounts WHERE id = p_account FOR NO KEY UPDATE;
  WITH gone AS (
    DELETE FROM unfolded
    WHERE account_id = p_account AND posting_id IN (
      SELECT posting_id FROM unfolded WHERE account_id = p_account ORDER BY posting_id LIMIT p_limit)
    RETURNING amount)
  SELECT coalesce(sum(amount), 0), count(*) INTO v_sum, v_count FROM gone;
  IF v_count > 0 THEN
    UPDATE accounts SET balance = balance + v_sum WHERE id = p_account;
  END IF;
  RETURN v_count;
END $$;
