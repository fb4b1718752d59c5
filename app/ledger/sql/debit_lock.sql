-- Locks a floored account for a debit and returns what it can spend: balance - held + what waits in its queue.
-- Folds only when the row alone is short, in chunks until it covers p_needed or the queue is empty.
-- NULL: no such account. -1: frozen.
CREATE OR REPLACE FUNCTION debit_lock(p_account bigint, p_needed bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_available bigint;
  v_frozen boolean;
BEGIN
  SELECT balance - held, frozen INTO v_available, v_frozen FROM accounts WHERE id = p_account FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF v_frozen THEN RETURN -1; END IF;
  WHILE v_available < p_needed LOOP
    EXIT WHEN fold_account(p_account, 1000) = 0;
    SELECT balance - held INTO v_available FROM accounts WHERE id = p_account;
  END LOOP;
  RETURN v_available;
END $$;
