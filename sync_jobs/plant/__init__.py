"""A plant's side of replication."""
