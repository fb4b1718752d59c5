-- A payment with all that belongs to it, as of one moment. It is found by its own id, or an attempt's or a refund's; the other
-- two are NULL. NULL: there is none. A row's `version` is its xmin, which write_set_apply compares.
--
-- {payment: {version, row}, attempts: [{version, row}], refunds: [{version, row}], disputes: [{version, row}], reviews: [row],
--  entries: [[ref_id, kind]]}
-- Attempts by number, refunds and disputes oldest first; reviews: those that are open; entries: those posted for its attempts.
CREATE OR REPLACE FUNCTION payment_rows(p_payment uuid, p_attempt uuid, p_refund uuid)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_id uuid := p_payment;
BEGIN
  IF p_attempt IS NOT NULL THEN
    SELECT a.payment_id INTO v_id FROM payment_attempts a WHERE a.id = p_attempt;
  ELSIF p_refund IS NOT NULL THEN
    SELECT r.payment_id INTO v_id FROM refunds r WHERE r.id = p_refund;
  END IF;
  RETURN (
    SELECT json_build_object(
      'payment', json_build_object('version', p.xmin::text, 'row', row_to_json(p)),
      'attempts', (
        SELECT json_agg(json_build_object('version', a.xmin::text, 'row', row_to_json(a)) ORDER BY a.number)
        FROM payment_attempts a WHERE a.payment_id = v_id),
      'refunds', (
        SELECT json_agg(json_build_object('version', r.xmin::text, 'row', row_to_json(r)) ORDER BY r.created_at, r.id)
        FROM refunds r WHERE r.payment_id = v_id),
      'disputes', (
        SELECT json_agg(json_build_object('version', d.xmin::text, 'row', row_to_json(d)) ORDER BY d.opened_at, d.id)
        FROM disputes d WHERE d.payment_id = v_id),
      'reviews', (
        SELECT json_agg(row_to_json(o) ORDER BY o.opened_at)
        FROM payment_reviews o WHERE o.payment_id = v_id AND o.closed_at IS NULL),
      'entries', (
        SELECT json_agg(json_build_array(e.ref_id, e.kind))
        FROM entries e JOIN payment_attempts a ON a.id = e.ref_id WHERE a.payment_id = v_id))
    FROM payments p WHERE p.id = v_id);
END $$;
