"""Events, envelopes, Merkle trees, signed notes, tiles, upcasting and verification."""
