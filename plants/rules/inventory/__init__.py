"""Batches, aliases and stock."""
