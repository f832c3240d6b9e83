"""EPCIS 2.0 documents: read, planned and imported."""
