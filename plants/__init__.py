"""The domain of a plant: rules (pure functions), store (tables and queries), commands (the only writers).

The hub runs the same code over all plants.
"""
