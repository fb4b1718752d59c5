-- Ends a callback that was processed, with its job. One that was repeated meanwhile (p_repeats is what was read) may report a newer
-- state: it stays, and its job is due again at once. Nothing happens to a job that another worker has by now.
-- Locks the callback before its job, as callback_store does: a repeat finds the job, or makes a new one.
CREATE OR REPLACE FUNCTION callback_close(
  p_now timestamptz, p_event uuid, p_repeats integer, p_state text, p_result text, p_payment uuid, p_job uuid, p_fence integer)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_known provider_events;
BEGIN
  SELECT * INTO v_known FROM provider_events e WHERE e.id = p_event FOR NO KEY UPDATE;
  IF v_known.state = 'received' AND v_known.repeats <> p_repeats THEN
    UPDATE jobs SET run_at = p_now, leased_until = NULL, last_error = NULL, attempts = 0
    WHERE id = p_job AND fence = p_fence AND state = 'due';
    RETURN;
  END IF;
  IF v_known.state = 'received' THEN
    UPDATE provider_events SET state = p_state, result = p_result, payment_id = p_payment, processed_at = p_now
    WHERE id = p_event;
  END IF;
  DELETE FROM jobs WHERE id = p_job AND fence = p_fence AND state = 'due';
END $$;
