"""Holds and dispositions."""
