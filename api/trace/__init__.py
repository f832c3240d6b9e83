"""Traces for the terminal: read or asked for, and drawn as a tree."""
