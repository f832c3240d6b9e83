"""Change requests and the decisions on them."""
