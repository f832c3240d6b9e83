"""Benchmarks: each published figure is a ratio to a rival that ran in turns with ours, in the same run."""
