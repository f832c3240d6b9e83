"""Change requests in the contract: asking for a change that needs a second pair of eyes, and deciding on it."""
