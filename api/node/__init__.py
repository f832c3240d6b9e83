"""A node: opened, backed up, called and shut down."""
