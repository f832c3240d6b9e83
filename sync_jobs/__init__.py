"""Jobs that carry ledgers between nodes and keep them healthy."""
