-- Whether one more callback may be stored in a room: it has fewer than p_most, or its oldest one that has ended was received before
-- p_before and is deleted. What waits, or is dead and waits for an operator, stays. Callbacks that are stored at the same moment do
-- not see each other: a room may have a few more for a while.
CREATE OR REPLACE FUNCTION callback_make_room(p_room text, p_most integer, p_before timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_oldest uuid;
BEGIN
  IF (SELECT count(*) FROM provider_events e WHERE e.room = p_room) < p_most THEN
    RETURN true;
  END IF;
  SELECT e.id INTO v_oldest FROM provider_events e
  WHERE e.room = p_room AND e.state IN ('processed', 'ignored') AND e.received_at < p_before
  ORDER BY e.id LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF v_oldest IS NULL THEN
    RETURN false;
  END IF;
  DELETE FROM provider_events WHERE id = v_oldest;
  DELETE FROM jobs WHERE kind = 'provider_event.process' AND ref = v_oldest::text;
  RETURN true;
END $$;
