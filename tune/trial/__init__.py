"""One trial of a search: the resources it asks for, its training in its own process, and its checkpoints."""
