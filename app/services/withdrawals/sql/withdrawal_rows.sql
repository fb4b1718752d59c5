-- A withdrawal with all that belongs to it, as of one moment. It is found by its own id, or its payout's; the other is NULL.
-- NULL: there is none. A row's `version` is its xmin, which write_set_apply compares.
--
-- {withdrawal: {version, row}, destination: {version, row}, approvals: [{version, row}], payouts: [{version, row}],
--  reviews: [row]}
-- Approvals oldest first; reviews: those that are open.
CREATE OR REPLACE FUNCTION withdrawal_rows(p_withdrawal uuid, p_payout uuid)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_id uuid := p_withdrawal;
BEGIN
  IF p_payout IS NOT NULL THEN
    SELECT p.withdrawal_id INTO v_id FROM payouts p WHERE p.id = p_payout;
  END IF;
  RETURN (
    SELECT json_build_object(
      'withdrawal', json_build_object('version', w.xmin::text, 'row', row_to_json(w)),
      'destination', (
        SELECT json_build_object('version', d.xmin::text, 'row', row_to_json(d))
        FROM payout_destinations d WHERE d.id = w.destination_id),
      'approvals', (
        SELECT json_agg(json_build_object('version', a.xmin::text, 'row', row_to_json(a)) ORDER BY a.created_at, a.id)
        FROM withdrawal_approvals a WHERE a.withdrawal_id = w.id),
      'payouts', (
        SELECT json_agg(json_build_object('version', p.xmin::text, 'row', row_to_json(p)))
        FROM payouts p WHERE p.withdrawal_id = w.id),
      'reviews', (
        SELECT json_agg(row_to_json(o) ORDER BY o.opened_at)
        FROM withdrawal_reviews o WHERE o.withdrawal_id = w.id AND o.closed_at IS NULL))
    FROM withdrawals w WHERE w.id = v_id);
END $$;
