"""The doors: HTTP applications and the command line."""
