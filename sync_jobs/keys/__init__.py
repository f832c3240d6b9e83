"""The keys of plants and of the hub, as ledgers prove them."""
