"""From texts to batches: tokens on disk, which texts a step takes, and batches cut by tokens."""
