"""Corrections in the contract: taking back one entry by recording its opposite."""
