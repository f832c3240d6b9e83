"""Process records: feeding and yielding, split and merge."""
