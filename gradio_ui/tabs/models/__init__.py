"""The tab *Models*: versions, and the rollout of a new one, watched and moved."""
