-- Freezes or thaws an account: a frozen one refuses debits and holds, never credits.
CREATE OR REPLACE FUNCTION account_freeze(p_account bigint, p_frozen boolean)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE accounts SET frozen = p_frozen WHERE id = p_account RETURNING true
$$;
