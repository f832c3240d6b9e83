"""Material definitions, units, partners, locations and equipment."""
