"""History and corrections."""
