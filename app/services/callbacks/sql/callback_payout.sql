-- The payout that a callback is about, by the URL it was sent to, our reference, or the provider's id. NULL: none of ours. A signed
-- callback, or one sent to a secret URL, is about its own provider account; another one is only a reason to query.
CREATE OR REPLACE FUNCTION callback_payout(p_event provider_events)
RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT o.id
  FROM payouts o
  CROSS JOIN LATERAL (
    SELECT CASE
      WHEN o.callback_token = p_event.path_token THEN 1
      WHEN o.reference = p_event.reference THEN 2
      ELSE 3 END AS way) found
  WHERE (o.callback_token = p_event.path_token
      OR (p_event.kind = 'payout' AND o.reference = p_event.reference)
      OR (p_event.kind = 'payout' AND o.provider_reference = p_event.provider_reference))
    AND o.provider = p_event.provider
    AND ((NOT p_event.is_verified AND p_event.path_token IS NULL) OR o.account_id IS NOT DISTINCT FROM p_event.account_id)
  ORDER BY found.way, o.id LIMIT 1
$$;
