"""Materials and other master data."""
