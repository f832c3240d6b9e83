"""What headquarters directs plants to do, and what came of it."""
