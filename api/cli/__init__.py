"""The command line, `batchloom`."""
