"""Compares the product with the reference model: answers before each command, tables after each entry."""
