"""Gathers items of concurrent callers into micro-batches, and the writes of two lanes into one call."""
