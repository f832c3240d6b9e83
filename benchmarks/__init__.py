"""Benchmarks. Each published figure is a ratio to a rival, measured in alternating rounds of one run."""
