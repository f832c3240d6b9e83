"""The wire format, the handshake and the sessions that both sides of replication share."""
