"""KEEP: the tables, the queries on them, and the projection from events to row writes."""
