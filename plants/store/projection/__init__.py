"""From events to row writes, and rebuilding the tables from the ledgers."""
