"""The whole group in one thread: real rules, commands, replication and projection under seeded faults."""
