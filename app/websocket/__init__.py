"""Socket.IO: clients watch their payments live (document 001). docs/realtime.md tells it from the client's side."""
