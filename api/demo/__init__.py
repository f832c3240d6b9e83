"""The demonstration: a hub and three plants through a year of work."""
