"""What Socket.IO clients may watch."""
