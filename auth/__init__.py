"""Authentication, permissions, plant scope and signatures."""
