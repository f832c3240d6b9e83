"""The keys of plants and of the hub, as their ledgers prove them."""
