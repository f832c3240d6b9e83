"""Edges between batches and process records, and the walk over them."""
