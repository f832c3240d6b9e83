"""Applying entries to the tables of the hub, and parking those that cannot be applied."""
