"""Tests of what a plant knows, keeps and does."""
