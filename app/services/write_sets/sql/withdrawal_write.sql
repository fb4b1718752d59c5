-- The part of a write set that is about a withdrawal (write_set_apply), each part as there:
--   withdrawal {version, row}; approvals, payouts, withdrawal_reviews, destinations [{version, row}]
-- An approval never changes. LG010: a row is not the one that was read.
CREATE OR REPLACE FUNCTION withdrawal_write(p_writes jsonb)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v jsonb := p_writes -> 'withdrawal';
BEGIN
  IF v ? 'version' THEN
    UPDATE withdrawals w SET
      (status, approved_by, canceled_by, cancel_reason, failure_code, failure_reason, updated_at, approved_at, completed_at,
       last_write) =
      (SELECT n.status, n.approved_by, n.canceled_by, n.cancel_reason, n.failure_code, n.failure_reason, n.updated_at,
         n.approved_at, n.completed_at, n.last_write
       FROM jsonb_populate_record(w, v -> 'row') n)
    WHERE w.id = (v -> 'row' ->> 'id')::uuid AND w.xmin = (v ->> 'version')::xid;
    IF NOT FOUND THEN RAISE EXCEPTION 'the withdrawal has changed' USING ERRCODE = 'LG010'; END IF;
  ELSE
    INSERT INTO withdrawals SELECT * FROM jsonb_populate_record(NULL::withdrawals, v -> 'row');
  END IF;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'approvals') LOOP
    INSERT INTO withdrawal_approvals SELECT * FROM jsonb_populate_record(NULL::withdrawal_approvals, v -> 'row');
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'payouts') LOOP
    IF v ? 'version' THEN
      UPDATE payouts p SET
        (state, provider_reference, receipt, provider_response, error_code, error_message, inquiries, sent_at, updated_at,
         completed_at) =
        (SELECT n.state, n.provider_reference, n.receipt, n.provider_response, n.error_code, n.error_message, n.inquiries,
           n.sent_at, n.updated_at, n.completed_at
         FROM jsonb_populate_record(p, v -> 'row') n)
      WHERE p.id = (v -> 'row' ->> 'id')::uuid AND p.xmin = (v ->> 'version')::xid;
      IF NOT FOUND THEN RAISE EXCEPTION 'a payout has changed' USING ERRCODE = 'LG010'; END IF;
    ELSE
      INSERT INTO payouts SELECT * FROM jsonb_populate_record(NULL::payouts, v -> 'row');
    END IF;
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'withdrawal_reviews') LOOP
    IF v ? 'version' THEN
      UPDATE withdrawal_reviews o SET (closed_at, closed_by) =
        (SELECT n.closed_at, n.closed_by FROM jsonb_populate_record(o, v -> 'row') n)
      WHERE o.id = (v -> 'row' ->> 'id')::uuid;
    ELSE
      INSERT INTO withdrawal_reviews SELECT * FROM jsonb_populate_record(NULL::withdrawal_reviews, v -> 'row');
    END IF;
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(p_writes -> 'destinations') LOOP
    IF v ? 'version' THEN
      UPDATE payout_destinations d SET (confirmed_by, confirmed_at) =
        (SELECT n.confirmed_by, n.confirmed_at FROM jsonb_populate_record(d, v -> 'row') n)
      WHERE d.id = (v -> 'row' ->> 'id')::uuid AND d.xmin = (v ->> 'version')::xid;
      IF NOT FOUND THEN RAISE EXCEPTION 'the destination has changed' USING ERRCODE = 'LG010'; END IF;
    ELSE
      INSERT INTO payout_destinations SELECT * FROM jsonb_populate_record(NULL::payout_destinations, v -> 'row');
    END IF;
  END LOOP;
END $$;
