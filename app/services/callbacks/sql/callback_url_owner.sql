-- Whose callback URL ends with this token, of which p_digest is the digest: a tenant's own provider account, or one payment attempt,
-- refund or payout, whose account it then is (NULL: the platform's). stored: what that row holds of the token; NULL when no row has it.
-- An operation that was open when digests were introduced holds the token itself.
CREATE OR REPLACE FUNCTION callback_url_owner(
  p_provider text, p_token text, p_digest text, OUT stored text, OUT is_operation boolean, OUT account_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_either text[] := ARRAY[p_digest, p_token];
BEGIN
  is_operation := true;
  SELECT a.callback_token, a.account_id INTO stored, account_id FROM payment_attempts a
  WHERE a.callback_token = ANY (v_either) AND a.provider = p_provider;
  IF FOUND THEN RETURN; END IF;
  SELECT r.callback_token, a.account_id INTO stored, account_id FROM refunds r JOIN payment_attempts a ON a.id = r.attempt_id
  WHERE r.callback_token = ANY (v_either) AND a.provider = p_provider;
  IF FOUND THEN RETURN; END IF;
  SELECT o.callback_token, o.account_id INTO stored, account_id FROM payouts o
  WHERE o.callback_token = ANY (v_either) AND o.provider = p_provider;
  IF FOUND THEN RETURN; END IF;
  is_operation := false;
  SELECT p.callback_token, p.id INTO stored, account_id FROM provider_accounts p
  WHERE p.callback_token = p_digest AND p.provider = p_provider;
END $$;
