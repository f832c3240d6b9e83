"""The machinery that knows nothing of batches."""
