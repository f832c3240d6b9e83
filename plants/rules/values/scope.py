"""The plants that an answer may speak of, as a type of its own so that no query can forget to ask for it."""

from typing import NewType

PlantScope = NewType("PlantScope", frozenset[int])
"""The plant numbers whose rows a reader may see.

Every query takes one and keeps only rows whose plant is in it; an empty scope therefore shows nothing, and
no value of it means everything. Only `auth/scope.py` makes one, from what the actor was granted; a test of
the house looks for others. Plant numbers count from 1; 0 is the hub's own ledger.
"""
