-- Folds the accounts whose queue rows come first, skipping accounts that are locked: at most p_limit queue rows looked at.
-- Returns how many amounts were folded. Business meaning: none; a balance read before and after is the same.
CREATE OR REPLACE FUNCTION fold(p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_accounts bigint[];
  v_count integer;
BEGIN
  SELECT array_agg(DISTINCT account_id) INTO v_accounts FROM (SELECT account_id FROM unfolded LIMIT p_limit) q;
  IF v_accounts IS NULL THEN RETURN 0; END IF;
  SELECT array_agg(id) INTO v_accounts FROM (
    SELECT id FROM accounts WHERE id = ANY (v_accounts) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) l;
  IF v_accounts IS NULL THEN RETURN 0; END IF;
  WITH gone AS (
    DELETE FROM unfolded u
    USING (SELECT account_id, posting_id FROM unfolded WHERE account_id = ANY (v_accounts) LIMIT p_limit) q
    WHERE u.account_id = q.account_id AND u.posting_id = q.posting_id
    RETURNING u.account_id, u.amount),
  sums AS (SELECT account_id, sum(amount) AS amount, count(*) AS n FROM gone GROUP BY account_id),
  folded AS (
    UPDATE accounts a SET balance = a.balance + s.amount FROM sums s WHERE a.id = s.account_id RETURNING s.n)
  SELECT coalesce(sum(n), 0) INTO v_count FROM folded;
  RETURN v_count;
END $$;
