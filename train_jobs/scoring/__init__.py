"""Bulk scoring's parts: where files lie, how they are cut into shards, how a shard is scored and written."""
