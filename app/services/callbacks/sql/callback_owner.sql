-- Whose callback URL ends with this token: a tenant's own provider account, or one payment attempt or refund, whose account it
-- then is (NULL: the platform's). is_known: false when it is nobody's.
CREATE OR REPLACE FUNCTION callback_owner(
  p_provider text, p_token text, OUT is_known boolean, OUT is_operation boolean, OUT account_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  is_known := true;
  is_operation := true;
  SELECT a.account_id INTO account_id FROM payment_attempts a
  WHERE a.callback_token = p_token AND a.provider = p_provider;
  IF FOUND THEN RETURN; END IF;
  SELECT a.account_id INTO account_id FROM refunds r JOIN payment_attempts a ON a.id = r.attempt_id
  WHERE r.callback_token = p_token AND a.provider = p_provider;
  IF FOUND THEN RETURN; END IF;
  is_operation := false;
  SELECT p.id INTO account_id FROM provider_accounts p WHERE p.callback_token = p_token AND p.provider = p_provider;
  is_known := FOUND;
END $$;
