"""From texts to batches: tokenised texts on disk, the plan of steps, and batches bounded by tokens."""
