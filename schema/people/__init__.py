"""The operator who sends a request."""
