"""The contract of the hub: what headquarters and auditors read over all plants, and what the hub may do."""

from typing import Final

from schema import changes
from schema.contracts import build
from schema.reads import QUERIES, SUBSCRIPTIONS

MUTATIONS: Final = (changes.decide_change,)

SCHEMA: Final = build(QUERIES, MUTATIONS, SUBSCRIPTIONS)
