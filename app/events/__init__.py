"""What happened: the outbox a change writes to, the relay, the one event log, and the work queue's rows."""
