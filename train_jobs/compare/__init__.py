"""Compares models trained on one dataset: a plan, the versions, one table. `python -m train_jobs.compare` runs it."""
