"""Benchmarks: mlplab beside its peers, and at scale. Run them with ``make bench``."""
