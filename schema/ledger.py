"""Ledgers as audit log in the contract: what was recorded, by whom, when and why, as it stands signed."""
