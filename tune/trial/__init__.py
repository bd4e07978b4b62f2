"""One trial of a search: what it asks Ray for, its training in its own process, and its checkpoints."""
