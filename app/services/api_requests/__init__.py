"""What merchants' backends have asked for: kept for REQUEST_LOG_DAYS, without what is secret."""
