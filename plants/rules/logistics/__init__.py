"""Transfers between plants and shipments to customers."""
