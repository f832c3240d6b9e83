"""Actors, instants, quantities and units, refusals, scope."""
