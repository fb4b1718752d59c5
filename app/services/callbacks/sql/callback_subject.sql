-- What a callback is about, by the URL it was sent to, our reference, or the provider's id: an attempt, and the refund if it names
-- one. Both NULL: nothing of ours. A signed callback, or one sent to a secret URL, is about its own provider account; another one is
-- only a reason to query the attempt's account, whichever that is.
CREATE OR REPLACE FUNCTION callback_subject(p_event provider_events, OUT attempt_id uuid, OUT refund_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_any_account boolean := NOT p_event.is_verified AND p_event.path_token IS NULL;
  v_refund_reference text := CASE WHEN p_event.kind = 'refund' THEN p_event.reference END;
  v_refund_id text := CASE WHEN p_event.kind = 'refund' THEN p_event.provider_reference END;
BEGIN
  SELECT a.id, r.id INTO attempt_id, refund_id
  FROM refunds r JOIN payment_attempts a ON a.id = r.attempt_id
  CROSS JOIN LATERAL (
    SELECT CASE
      WHEN r.callback_token = p_event.path_token THEN 1
      WHEN r.reference = v_refund_reference THEN 2
      ELSE 3 END AS way) found
  WHERE (r.callback_token = p_event.path_token OR r.reference = v_refund_reference OR r.provider_reference = v_refund_id)
    AND a.provider = p_event.provider
    AND (v_any_account OR a.account_id IS NOT DISTINCT FROM p_event.account_id)
  ORDER BY found.way, r.id LIMIT 1;
  IF FOUND THEN RETURN; END IF;
  SELECT a.id INTO attempt_id
  FROM payment_attempts a
  WHERE a.callback_token = p_event.path_token AND a.provider = p_event.provider
    AND (v_any_account OR a.account_id IS NOT DISTINCT FROM p_event.account_id);
  IF FOUND THEN RETURN; END IF;
  SELECT a.id INTO attempt_id
  FROM payment_attempts a
  WHERE a.reference = p_event.reference AND a.provider = p_event.provider
    AND (v_any_account OR a.account_id IS NOT DISTINCT FROM p_event.account_id);
  IF FOUND THEN RETURN; END IF;
  SELECT a.id INTO attempt_id
  FROM payment_attempts a
  WHERE a.provider_reference = p_event.provider_reference AND a.provider = p_event.provider
    AND (v_any_account OR a.account_id IS NOT DISTINCT FROM p_event.account_id)
  ORDER BY a.id DESC LIMIT 1;
  IF FOUND THEN RETURN; END IF;
  SELECT a.id INTO attempt_id
  FROM payment_attempts a
  WHERE a.receipt = ANY (ARRAY[p_event.provider_reference, v_refund_reference]) AND a.provider = p_event.provider
    AND (v_any_account OR a.account_id IS NOT DISTINCT FROM p_event.account_id)
  ORDER BY a.receipt = p_event.provider_reference DESC, a.id DESC LIMIT 1;
END $$;
