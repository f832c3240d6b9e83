"""Alarms and the state of a node."""
