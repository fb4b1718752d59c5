-- Takes a job until p_until, if it is due and no other worker has it; nothing is returned otherwise. A callback's job comes with
-- all that processing needs: the callback, what it is about (callback_subject, callback_payout), and the rows of that payment
-- (payment_rows) or withdrawal (withdrawal_rows).
CREATE OR REPLACE FUNCTION job_lease(
  p_now timestamptz, p_until timestamptz, p_job uuid,
  OUT kind text, OUT ref text, OUT attempts integer, OUT fence integer, OUT callback json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE jobs j SET leased_until = p_until, fence = j.fence + 1, attempts = j.attempts + 1
  WHERE j.id = p_job AND j.state = 'due' AND j.run_at <= p_now AND (j.leased_until IS NULL OR j.leased_until < p_now)
  RETURNING j.kind, j.ref, j.attempts, j.fence INTO kind, ref, attempts, fence;
  IF kind = 'provider_event.process' THEN
    SELECT json_build_object(
      'event', row_to_json(e), 'attempt_id', s.attempt_id, 'refund_id', s.refund_id, 'payout_id', o.id,
      'rows', CASE
        WHEN s.attempt_id IS NOT NULL THEN payment_rows(NULL, s.attempt_id, NULL)
        WHEN o.id IS NOT NULL THEN withdrawal_rows(NULL, o.id) END)
    INTO callback
    FROM provider_events e CROSS JOIN LATERAL callback_subject(e) s
    CROSS JOIN LATERAL (SELECT CASE WHEN s.attempt_id IS NULL THEN callback_payout(e) END AS id) o
    WHERE e.id = ref::uuid;
  END IF;
END $$;
