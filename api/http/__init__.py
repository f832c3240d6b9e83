"""HTTP applications and routes."""
