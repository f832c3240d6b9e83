"""Directives from headquarters to plants, and their outcomes."""
