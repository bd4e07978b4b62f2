"""Scores files in bulk by Ray Data: where they lie, how they are cut into shards, how a shard is scored and written."""
