"""Searches for the hyperparameters of a training, by Ray Tune."""
