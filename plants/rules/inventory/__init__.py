"""Batches and their aliases, stock, receipts and movements."""
