"""Asks model versions about normalised texts: what was answered before, what is on its way, and who stands in."""
