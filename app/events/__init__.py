"""Events: the outbox a change writes to, the relay that publishes, and the event log."""
