"""Optimisers, learning rate schedules and early stopping."""
