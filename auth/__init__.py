"""Who is asking, for which plants, and what they may sign."""
