-- Stores a callback, once however often it is repeated, with the job that processes it. One statement, then it is acknowledged.
-- p_event: a row of provider_events without its body. p_job: an id for a new job.
-- p_delay: how long after p_now it is processed.
--
-- A repeat is counted. It is processed again where it is the first one with a signature, which then replaces the unsigned one, and
-- where it has none: an unsigned callback is the same for every change. Such a one is processed p_pause after the last time.
-- One that is stored as ended (callback_store_unsigned) needs no job.
CREATE OR REPLACE FUNCTION callback_store(
  p_now timestamptz, p_event jsonb, p_body bytea, p_job uuid, p_delay interval, p_pause interval)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_new provider_events := jsonb_populate_record(NULL::provider_events, p_event);
  v_known provider_events;
  v_is_proof boolean;
  v_run_at timestamptz := p_now + p_delay;
BEGIN
  v_new.body := p_body;
  INSERT INTO provider_events SELECT v_new.* ON CONFLICT (provider, scope, provider_event_id) DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO v_known FROM provider_events e
    WHERE e.provider = v_new.provider AND e.scope = v_new.scope AND e.provider_event_id = v_new.provider_event_id
    FOR NO KEY UPDATE;
    v_is_proof := v_new.is_verified AND NOT v_known.is_verified;
    IF NOT v_is_proof AND (v_new.is_verified OR v_known.state = 'received') THEN
      UPDATE provider_events SET repeats = repeats + 1 WHERE id = v_known.id;
      RETURN;
    END IF;
    IF v_is_proof THEN
      UPDATE provider_events SET
        is_verified = true, body = p_body, method = v_new.method, headers = v_new.headers, query = v_new.query,
        kind = v_new.kind, event_type = v_new.event_type, reference = v_new.reference,
        provider_reference = v_new.provider_reference, room = NULL
      WHERE id = v_known.id;
    ELSE
      v_run_at := greatest(v_run_at, v_known.processed_at + p_pause);
    END IF;
    UPDATE provider_events SET state = 'received', confirmations = 0, repeats = repeats + 1 WHERE id = v_known.id;
    v_new.id := v_known.id;
    v_new.state := 'received';
  END IF;
  IF v_new.state = 'received' THEN
    INSERT INTO jobs AS j (id, kind, ref, run_at, attempts, fence, state, created_at)
    VALUES (p_job, 'provider_event.process', v_new.id::text, v_run_at, 0, 0, 'due', p_now)
    ON CONFLICT (kind, ref) DO UPDATE SET state = 'due', attempts = 0, run_at = v_run_at, finished_at = NULL
    WHERE j.state = 'dead';
  END IF;
END $$;
