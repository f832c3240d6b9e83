"""Subscriptions in the contract: entries as they are recorded, and how replication stands."""
