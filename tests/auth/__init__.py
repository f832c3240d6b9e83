"""Tests of who may do and sign what."""
