"""Makes version folders from trained models and from models of others, and registers them."""
