"""Traces, their summaries and their completeness."""
