"""Texts that stand in two dataset versions: exactly, or nearly by word shingles, and what to do about them."""
