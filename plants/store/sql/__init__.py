"""Column types, row writes and pages: what every store module is built of."""
