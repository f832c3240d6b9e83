"""Quarantine in the contract: placing a hold on a plant's goods of a batch."""
