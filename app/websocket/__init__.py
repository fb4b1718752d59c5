"""Socket.IO: clients watch their payments live (docs/realtime.md)."""
