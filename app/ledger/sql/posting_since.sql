-- The least posting id such that every posting of the account with a lower one is earlier than p_at; NULL: it has no postings.
-- A binary search by the index, some forty probes at most: ids and times of one account's postings have the same order, but for
-- entries made at the same moment, so callers leave a margin around p_at. Compared and ordered by both columns of the index, so
-- that no plan walks over other accounts' postings.
CREATE OR REPLACE FUNCTION posting_since(p_account bigint, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_low bigint;
  v_high bigint;
  v_middle bigint;
  v_id bigint;
  v_at timestamptz;
BEGIN
  SELECT p.id INTO v_low FROM postings p
  WHERE (p.account_id, p.id) > (p_account, 0) AND (p.account_id, p.id) < (p_account + 1, 0)
  ORDER BY p.account_id, p.id LIMIT 1;
  SELECT p.id + 1 INTO v_high FROM postings p
  WHERE (p.account_id, p.id) > (p_account, 0) AND (p.account_id, p.id) < (p_account + 1, 0)
  ORDER BY p.account_id DESC, p.id DESC LIMIT 1;
  WHILE v_low < v_high LOOP
    v_middle := v_low + (v_high - v_low) / 2;
    SELECT p.id, e.at INTO v_id, v_at FROM postings p JOIN entries e ON e.id = p.entry_id
    WHERE (p.account_id, p.id) >= (p_account, v_middle) AND (p.account_id, p.id) < (p_account, v_high)
    ORDER BY p.account_id, p.id LIMIT 1;
    IF v_id IS NULL OR v_at >= p_at THEN
      v_high := v_middle;
    ELSE
      v_low := v_id + 1;
    END IF;
  END LOOP;
  RETURN v_low;
END $$;
