"""How what was decided about rows is written: all of it or nothing, and only if they are still those rows."""
