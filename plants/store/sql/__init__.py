"""Column types, row writes and pages, used by every store module."""
