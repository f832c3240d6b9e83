"""The hub's side of replication."""
