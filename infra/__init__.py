"""Machinery that is independent of batches: settings, database, clock, ids, object storage."""
