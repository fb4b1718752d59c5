-- The wallet behind a payment's destination (`acc_…` or an e-mail address) for money in p_currency.
-- An e-mail means that user's oldest unfrozen wallet in the currency (docs/api/wallet.md), once the user has confirmed the
-- address: whoever registered it first would be paid what is meant for its owner. Locks nothing.
CREATE OR REPLACE FUNCTION wallet_destination(
  p_destination text, p_currency text,
  OUT account_id bigint, OUT owner_id uuid, OUT public_id text, OUT refusal text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_currency text;
BEGIN
  -- An address may begin with `acc_` too; only an address has an `@`.
  IF position('@' IN p_destination) = 0 THEN
    SELECT a.id, a.owner_id, a.public_id, a.currency INTO account_id, owner_id, public_id, v_currency
    FROM accounts a WHERE a.public_id = p_destination AND a.kind = 'wallet';
  ELSE
    SELECT a.id, a.owner_id, a.public_id, a.currency INTO account_id, owner_id, public_id, v_currency
    FROM users u JOIN accounts a ON a.owner_id = u.id
    WHERE u.email = lower(p_destination) AND u.is_active AND u.email_confirmed_at IS NOT NULL
      AND a.kind = 'wallet' AND NOT a.frozen
    ORDER BY a.currency <> p_currency, a.id LIMIT 1;
  END IF;
  refusal := CASE WHEN account_id IS NULL THEN 'RECIPIENT_NOT_FOUND'
                  WHEN v_currency <> p_currency THEN 'CURRENCY_MISMATCH' END;
END $$;
