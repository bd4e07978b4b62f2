"""Makes version folders: of what was trained, of models from outside; and registers them."""
