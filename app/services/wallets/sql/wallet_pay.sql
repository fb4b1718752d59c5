-- Pays n items from one wallet, all in one transaction; POST /payments is a batch of one.
--
-- Items are decided in order, each by itself: a refused one is skipped and later ones may still pass. Nothing is
-- written before everything is decided, so there is nothing to undo. Order of the checks of an item (docs/api/wallet.md):
-- currency, balance, amount alone above the tier's daily limit (KYC_REQUIRED), the day's or month's sum, destination. The
-- destination comes last: who cannot pay learns nothing about recipients. It is `acc_…` or an e-mail address, which means that
-- user's oldest unfrozen wallet in the currency, once the user has confirmed the address: whoever registered it first would be
-- paid what is meant for its owner.
--
-- p_scope, p_fingerprint: the idempotency claim. p_answer: what to remember if no item is refused.
-- p_usd: each amount in US cents. p_daily, p_monthly: limits in US cents by tier, [1] is tier 0.
--
-- outcome: paid         answer = p_answer, or with each refused item's code in "refusals"
--          replay       answer = what was remembered
--          key_reused   the key was used with another body
--          no_session   the session is revoked, expired, or its user disabled
--          no_account   the source is not a wallet of this user
CREATE OR REPLACE FUNCTION wallet_pay(
  p_now timestamptz, p_session uuid, p_scope uuid, p_fingerprint bytea, p_answer text,
  p_source text, p_currencies text[], p_payments uuid[], p_entries uuid[], p_destinations text[], p_amounts bigint[],
  p_usd bigint[], p_descriptions text[], p_metadata text[], p_daily bigint[], p_monthly bigint[], p_address text,
  OUT outcome text, OUT answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_user uuid;
  v_tier integer;
  v_known idempotency;
  v_source accounts;
  v_available bigint;
  v_day bigint;
  v_month bigint;
  v_amount bigint;
  v_needed bigint := 0;
  v_spent bigint := 0;
  v_paid bigint := 0;
  v_today date := (p_now AT TIME ZONE 'UTC')::date;
  v_to_id bigint;
  v_owner uuid;
  v_name text;
  v_currency text;
  v_refusal text;
  v_refusals text[];
  v_accepted integer[] := '{}';
  v_to bigint[] := '{}';
  v_to_owner uuid[] := '{}';
  v_to_name text[] := '{}';
BEGIN
  SELECT u.id, u.tier INTO v_user, v_tier FROM sessions s JOIN users u ON u.id = s.user_id
  WHERE s.id = p_session AND s.revoked_at IS NULL AND s.expires_at > p_now AND u.is_active;
  IF NOT FOUND THEN outcome := 'no_session'; RETURN; END IF;
  SELECT * INTO v_source FROM accounts WHERE public_id = p_source AND kind = 'wallet' AND owner_id = v_user;
  IF NOT FOUND THEN outcome := 'no_account'; RETURN; END IF;

  INSERT INTO idempotency (scope, fingerprint, resource_id, status, facts, created_at)
  VALUES (p_scope, p_fingerprint, p_payments[1], 201, p_answer, p_now) ON CONFLICT (scope) DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO v_known FROM idempotency WHERE scope = p_scope;
    outcome := CASE WHEN v_known.fingerprint = p_fingerprint THEN 'replay' ELSE 'key_reused' END;
    answer := v_known.facts;
    RETURN;
  END IF;

  SELECT usd_minor INTO v_day FROM spending WHERE user_id = v_user AND day = v_today FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    INSERT INTO spending AS s (user_id, day, usd_minor) VALUES (v_user, v_today, 0)
    ON CONFLICT (user_id, day) DO UPDATE SET usd_minor = s.usd_minor RETURNING usd_minor INTO v_day;
  END IF;
  SELECT sum(usd_minor) INTO v_month FROM spending
  WHERE user_id = v_user AND day >= date_trunc('month', v_today)::date AND day <= v_today;
  FOREACH v_amount IN ARRAY p_amounts LOOP v_needed := v_needed + v_amount; END LOOP;
  v_available := debit_lock(v_source.id, v_needed);

  FOR i IN 1 .. cardinality(p_payments) LOOP
    v_refusal := CASE
      WHEN p_currencies[i] <> v_source.currency THEN 'CURRENCY_MISMATCH'
      WHEN v_available = -1 THEN 'PERMISSION_DENIED'
      WHEN v_available - v_paid < p_amounts[i] THEN 'INSUFFICIENT_BALANCE'
      WHEN p_usd[i] > p_daily[v_tier + 1] AND v_tier + 1 < cardinality(p_daily) THEN 'KYC_REQUIRED'
      WHEN v_day + v_spent + p_usd[i] > p_daily[v_tier + 1]
        OR v_month + v_spent + p_usd[i] > p_monthly[v_tier + 1] THEN 'DAILY_LIMIT_EXCEEDED'
    END;
    IF v_refusal IS NULL THEN
      -- An address may begin with `acc_` too; only an address has an `@`.
      IF position('@' IN p_destinations[i]) = 0 THEN
        SELECT a.id, a.owner_id, a.public_id, a.currency INTO v_to_id, v_owner, v_name, v_currency
        FROM accounts a WHERE a.public_id = p_destinations[i] AND a.kind = 'wallet';
      ELSE
        SELECT a.id, a.owner_id, a.public_id, a.currency INTO v_to_id, v_owner, v_name, v_currency
        FROM users u JOIN accounts a ON a.owner_id = u.id
        WHERE u.email = lower(p_destinations[i]) AND u.is_active AND u.email_confirmed_at IS NOT NULL
          AND a.kind = 'wallet' AND NOT a.frozen
        ORDER BY a.currency <> v_source.currency, a.id LIMIT 1;
      END IF;
      v_refusal := CASE
        WHEN v_to_id IS NULL THEN 'RECIPIENT_NOT_FOUND'
        WHEN v_currency <> v_source.currency THEN 'CURRENCY_MISMATCH'
        WHEN v_to_id = v_source.id THEN 'SAME_ACCOUNT'
      END;
    END IF;
    IF v_refusal IS NULL THEN
      v_paid := v_paid + p_amounts[i];
      v_spent := v_spent + p_usd[i];
      v_accepted := v_accepted || i;
      v_to := v_to || v_to_id;
      v_to_owner := v_to_owner || v_owner;
      v_to_name := v_to_name || v_name;
    ELSE
      v_refusals[i] := v_refusal;
    END IF;
  END LOOP;

  outcome := 'paid';
  answer := p_answer;
  IF v_refusals IS NOT NULL THEN
    -- Subscripts start at the first refusal: shift them to the item's own place.
    answer := jsonb_set(p_answer::jsonb, '{refusals}', (
      SELECT jsonb_agg(v_refusals[i] ORDER BY i) FROM generate_series(1, cardinality(p_payments)) i))::text;
    UPDATE idempotency SET facts = answer, resource_id = p_payments[v_accepted[1]] WHERE scope = p_scope;
  END IF;
  IF v_paid = 0 THEN RETURN; END IF;

  UPDATE spending SET usd_minor = usd_minor + v_spent WHERE user_id = v_user AND day = v_today;
  UPDATE accounts SET balance = balance - v_paid WHERE id = v_source.id;
  INSERT INTO entries (id, kind, ref_id, currency, at)
    SELECT p_entries[a.i], 'wallet_payment', p_payments[a.i], v_source.currency, p_now FROM unnest(v_accepted) a (i);
  WITH pairs AS (
    SELECT p_entries[a.i] AS entry_id, p_amounts[a.i] AS amount, v_to[a.n] AS account_id
    FROM unnest(v_accepted) WITH ORDINALITY a (i, n)),
  debits AS (INSERT INTO postings (entry_id, account_id, amount) SELECT entry_id, v_source.id, -amount FROM pairs),
  credits AS (
    INSERT INTO postings (entry_id, account_id, amount) SELECT entry_id, account_id, amount FROM pairs
    RETURNING id, account_id, amount)
  INSERT INTO unfolded (account_id, posting_id, amount) SELECT account_id, id, amount FROM credits;
  INSERT INTO wallet_payments (id, sender_id, recipient_id, source_id, destination_id, source, destination, entry_id,
                               amount, currency, description, metadata, status, created_at)
    SELECT p_payments[a.i], v_user, v_to_owner[a.n], v_source.id, v_to[a.n], p_source, p_destinations[a.i],
      p_entries[a.i], p_amounts[a.i], v_source.currency, p_descriptions[a.i], p_metadata[a.i]::jsonb, 'pending', p_now
    FROM unnest(v_accepted) WITH ORDINALITY a (i, n);
  INSERT INTO outbox (type, object_id, actor, address, is_public, data, at)
    SELECT 'wallet_payment.pending', 'pmt_' || replace(p_payments[a.i]::text, '-', ''),
      'usr_' || replace(v_user::text, '-', ''), p_address, true, jsonb_build_object(
        'amount_minor', p_amounts[a.i], 'currency', v_source.currency, 'status', 'pending',
        'transaction_id', 'txn_' || replace(p_entries[a.i]::text, '-', ''),
        'sender', 'usr_' || replace(v_user::text, '-', ''), 'recipient', 'usr_' || replace(v_to_owner[a.n]::text, '-', ''),
        'source_wallet_id', p_source, 'destination_wallet_id', v_to_name[a.n], 'destination', p_destinations[a.i],
        'description', p_descriptions[a.i], 'metadata', p_metadata[a.i]::jsonb), p_now
    FROM unnest(v_accepted) WITH ORDINALITY a (i, n);
END $$;
