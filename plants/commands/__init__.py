"""DO: the only writers; rules decide, the store keeps, the ledger records."""
