-- Stores a callback that nothing vouches for, where there is room: it is not signed, and came to a URL that is not one operation's.
-- The room is that of the attempt it names, for p_most_of_attempt, or else its provider's, for p_most_unmatched. What is about nothing
-- of ours is stored as ended. Returns whether it is stored; where not, the attempt's newest one is processed again, so that the
-- provider is queried all the same. p_before: callback_make_room's; the other arguments are callback_store's.
CREATE OR REPLACE FUNCTION callback_store_unsigned(
  p_now timestamptz, p_event jsonb, p_body bytea, p_job uuid, p_delay interval, p_pause interval,
  p_most_of_attempt integer, p_most_unmatched integer, p_before timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_new provider_events := jsonb_populate_record(NULL::provider_events, p_event);
  v_attempt uuid := (SELECT s.attempt_id FROM callback_subject(v_new) s);
  v_room text := coalesce(v_attempt::text, v_new.provider);
  v_event jsonb := p_event || jsonb_build_object('room', v_room);
  v_known provider_events;
  v_has_room boolean := true;
BEGIN
  SELECT * INTO v_known FROM provider_events e
  WHERE e.provider = v_new.provider AND e.scope = v_new.scope AND e.provider_event_id = v_new.provider_event_id
  FOR NO KEY UPDATE;
  IF v_known.id IS NULL THEN
    v_has_room := callback_make_room(
      v_room, CASE WHEN v_attempt IS NULL THEN p_most_unmatched ELSE p_most_of_attempt END, p_before);
  ELSIF v_attempt IS NULL THEN
    UPDATE provider_events SET repeats = repeats + 1 WHERE id = v_known.id;
    RETURN true;
  ELSIF NOT v_known.is_verified AND v_known.room <> v_room THEN
    UPDATE provider_events SET room = v_room WHERE id = v_known.id;  -- the attempt was not known when it came first
  END IF;
  IF v_attempt IS NULL THEN
    v_event := v_event || jsonb_build_object(
      'state', 'ignored', 'result', 'Nothing here has this reference.', 'processed_at', p_now);
  ELSIF NOT v_has_room THEN
    SELECT v_event || jsonb_build_object('scope', e.scope, 'provider_event_id', e.provider_event_id) INTO v_event
    FROM provider_events e WHERE e.room = v_room ORDER BY e.id DESC LIMIT 1;
  END IF;
  IF v_event IS NOT NULL AND (v_has_room OR v_attempt IS NOT NULL) THEN  -- NULL: its callbacks were deleted at this moment
    PERFORM callback_store(p_now, v_event, p_body, p_job, p_delay, p_pause);
  END IF;
  RETURN v_has_room;
END $$;
