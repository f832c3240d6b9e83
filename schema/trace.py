"""Trace in the contract: what came of goods and what they came of, and whether the answer is whole."""
