-- Opens an account with no balance. Returns its id; the same public_id again is an error (unique).
CREATE OR REPLACE FUNCTION account_open(
  p_now timestamptz, p_public_id text, p_tenant uuid, p_owner uuid, p_kind text, p_wallet_type text, p_name text,
  p_currency text, p_floored boolean)
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO accounts (public_id, tenant_id, owner_id, kind, wallet_type, name, currency, floored, created_at)
  VALUES (p_public_id, p_tenant, p_owner, p_kind, p_wallet_type, p_name, p_currency, p_floored, p_now)
  RETURNING id
$$;
