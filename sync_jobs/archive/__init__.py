"""Writing ledgers to the archive, checking it, and recovering ledgers from it."""
